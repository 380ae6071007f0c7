from scene import Scene, actor, clouds, cloud, host, provider

three = clouds("gcp", "aws", "azure")

lost = clouds("gcp", "aws")
lost.put(10, "aws", "latticehost", host("nawsa0", "quiet-aws-0", "aws", "a", status="False", reason="NoResponders"))
lost.put(11, "aws", "wasmactor", actor("queue", 2, [("nawsb0", 2)]))


def linked(name, *links, **kw):
    """(interface, peer) or (interface, peer, "actor")"""
    made = actor(name, 1, [], **kw)
    made["spec"]["capabilities"] = [{"interface": link[0], link[2] if len(link) > 2 else "provider": link[1]} for link in links]
    return made


links = cloud(Scene("gcp"), "gcp")
for peer in ("keyvalue-redis", "messaging-nats", "blobstore-fs"):
    links.put(1, "gcp", "wasmprovider", provider(peer, 1, []))
links.put(1, "gcp", "wasmactor", linked("web", ("wasi:http/incoming-handler", "http-server"), ("wasi:keyvalue/store", "keyvalue-redis"),
                                        ("acme:shop/orders", "queue", "actor")))
links.put(1, "gcp", "wasmactor", linked("queue", ("wasmcloud:messaging/consumer", "messaging-nats"),
                                        ("wasmcloud:messaging/handler", "messaging-nats"), ("wasi:blobstore/blobstore", "blobstore-fs")))
links.live()

round = Scene("gcp")
round.put(0, "gcp", "wasmactor", linked("ping", ("acme:a/pong", "pong", "actor")))
round.put(0, "gcp", "wasmactor", linked("pong", ("acme:a/ping", "ping", "actor"), ("acme:a/self", "pong", "actor"),
                                        ("acme:a/gone", "nobody", "actor")))
round.live()

many = Scene("gcp")
for i in range(40):
    many.put(0, "gcp", "latticehost", host(f"n{i:02}", f"host-{i:02}", "gcp", "abc"[i % 3], actors=1))
many.put(0, "gcp", "wasmactor", actor("everywhere", 40, [(f"n{i:02}", 1) for i in range(40)]))
for i in range(12):
    many.put(0, "gcp", "wasmactor", actor(f"busy-{i}", 1, [("n03", 1)]))
many.live()

PLACES = ["--layout", "topology"]
LINKS = ["--layout", "topology[links]"]
CASES = [
    ("three_clouds", three.lines, "120x40", PLACES, []),
    ("narrow", three.lines, "60x30", PLACES, []),
    ("unit_selected", three.lines, "120x40", PLACES, ["j"]),
    ("sideways", three.lines, "120x40", PLACES, ["right", "right", "down"]),
    ("lost", lost.lines, "100x30", PLACES, []),
    ("before", lost.lines, "100x30", PLACES, ["<", "<", "<"]),
    ("forty_hosts", many.lines, "110x40", PLACES, ["j", "j", "j", "j", "j", "j", "j", "j", "j", "j", "j", "j", "j", "j"]),
    ("forty_hosts_end", many.lines, "110x40", PLACES, ["down"] * 95),
    ("links", links.lines, "120x30", LINKS, []),
    ("links_selected", links.lines, "120x30", [*LINKS, "--roles"], ["right"]),
    ("links_narrow", links.lines, "70x20", LINKS, ["right", "right", "right"]),
    ("links_ascii", links.lines, "100x30", [*LINKS, "--ascii"], []),
    ("links_round", round.lines, "100x20", LINKS, []),
    ("nothing", Scene("gcp").live().lines, "80x20", PLACES, []),
    ("nothing_linked", Scene("gcp").live().lines, "80x20", LINKS, []),
    ("toggled", links.lines, "100x30", PLACES, ["o"]),
    ("wrong_argument", three.lines, "100x20", ["--layout", "hosts"], [":", "text:topology nonsense", "enter"]),
]
