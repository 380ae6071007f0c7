from scene import actor, clouds, event, host

one = clouds("gcp")
three = clouds("gcp", "aws", "azure")

lost = clouds("gcp", "aws")
lost.put(10, "aws", "latticehost", host("nawsa0", "quiet-aws-0", "aws", "a", status="False", reason="NoResponders"))
lost.put(10, "aws", "event", event("e3", "HostLost", "LatticeHost", "nawsa0", 10, "the host does not answer", True))
lost.put(11, "aws", "wasmactor", actor("queue", 2, [("nawsb0", 2)]))
lost.state(12, "gcp", "away", "connect to 10.0.0.1:6443: connection refused")

CASES = [
    ("one_cluster", one.lines, "120x30", [], []),
    ("three_clusters", three.lines, "140x40", [], []),
    ("three_clusters_side_by_side", three.lines, "160x45", ["--layout", "clouds"], []),
    ("smallest", one.lines, "60x15", [], []),
    ("largest", three.lines, "300x100", [], []),
    ("too_small", one.lines, "20x2", [], []),
    ("ascii", one.lines, "100x25", ["--ascii"], []),
    ("roles", one.lines, "100x25", ["--roles", "--layout", "v(actors, hosts)"], ["j"]),
    ("host_lost_and_cluster_away", lost.lines, "120x34", [], []),
    ("before_it_was_lost", lost.lines, "120x34", [], ["<", "<", "<", "<", "<", "<", "<"]),
    ("filter", three.lines, "120x30", [], ["/", "text:web", "enter"]),
    ("filter_by_labels", three.lines, "120x30", [], ["/", "text:-l tier=front", "enter"]),
    ("filter_half_typed", three.lines, "120x30", [], ["/", "text:web("]),
    ("filter_wrong", three.lines, "120x30", [], ["/", "text:web(", "enter"]),
    ("faults_only", three.lines, "120x30", [], ["F"]),
    ("namespace", one.lines, "100x25", ["--namespace", "post"], []),
    ("zoomed", three.lines, "100x25", [], ["tab", "tab", "z"]),
    ("split", one.lines, "120x30", ["--layout", "actors"], ["|", "_", "alt-left"]),
    ("marked_and_sorted", three.lines, "120x30", ["--layout", "actors"], ["N", "N", "j", "space", "space"]),
    ("help", one.lines, "120x60", ["--layout", "hosts"], ["?"]),
    ("command", one.lines, "120x30", [], [":", "text:pro", "tab"]),
    ("command_done", one.lines, "120x30", [], [":", "text:pro", "tab", "enter"]),
    ("command_left_and_zoomed_at_once", one.lines, "120x30", [], [":", "text:pro", "alt-z"]),
    ("command_wrong", one.lines, "120x30", [], [":", "text:nonsense", "enter"]),
    ("folded", one.lines, "100x25", ["--layout", "hosts"], ["o"]),
]
