"""`wasmctl place`: what it tells before an actor is applied is what the operator does then."""
import json

from harness import (WASMCTL, Env, actor, apply, condition, ctl, delete, dev, expect, free_port, get, provider, run, running_on, test,
                     wait_for, wait_ready)


def place(*args, manifest=None):
    """(exit code, forecast)"""
    status, out, err = run(WASMCTL, "place", *args, "-o", "json", check=False, stdin=manifest and json.dumps(manifest),
                           env={"KUBECONFIG": Env.get().kubeconfig})
    if not out:
        raise AssertionError(f"place {' '.join(args)}: status {status}: {err}")
    return status, json.loads(out)


def given(forecast):
    return {h["host"]: h["then"] for h in forecast["hosts"] if h["then"]}


def placed(name, kind="wasmactor"):
    return {p["host"]: p["replicas"] for p in get(kind, name)["status"]["placements"] if p["state"] == "Running"}


def reported():
    """LatticeHosts say what runs where, some moments after it changed."""
    total = sum(h["status"].get("actorCount", 0) for h in get("latticehosts")["items"])
    return total == sum(len(running_on(a["metadata"].get("namespace") + "_" + a["metadata"]["name"]))
                        for a in get("wasmactors")["items"])


def settled(name):
    return lambda: all(h["now"] == h["then"] for h in place(f"wasmactor/{name}")[1]["hosts"])


ZONES = [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]


@test
def place_tells_what_the_operator_does():
    wait_for("hosts report what runs", reported)
    specs = [
        ("even", {"replicas": 4, "placement": {"spread": ZONES}}),
        ("chosen", {"replicas": 2, "placement": {"hostSelector": {"matchExpressions": [
            {"key": "zone", "operator": "In", "values": ["a", "c"]}]}}}),
        # Where the least other work is.
        ("single", {"replicas": 1}),
        ("shares", {"replicas": 4, "placement": {"spread": [{**ZONES[0], "weights": {"a": 3, "b": 1}}]}}),
        ("daemon", {"placement": {"mode": "Daemon"}}),
    ]
    for name, spec in specs:
        status, forecast = place("-f", "-", manifest=actor(name, **spec))
        expect(status == 0 and forecast["missing"] == 0 and not any(h["now"] for h in forecast["hosts"]), json.dumps(forecast))
        apply(actor(name, **spec))
        wait_ready(name)
        expect(given(forecast) == placed(name), f"{name}: foretold {given(forecast)}, done {placed(name)}")
        wait_for("the forecast of what runs is what runs", settled(name))
        wait_for("hosts report what runs", reported)
    # A second set of replicas goes beside the first.
    status, forecast = place("-f", "-", manifest=actor("even", replicas=6, placement={"spread": ZONES}))
    expect(status == 0 and sum(h["now"] for h in forecast["hosts"]) == 4, json.dumps(forecast))
    apply(actor("even", replicas=6, placement={"spread": ZONES}))
    wait_for("six replicas run", lambda: wait_ready("even")["status"]["readyReplicas"] == 6)
    expect(given(forecast) == placed("even"), f"foretold {given(forecast)}, done {placed('even')}")

    entrance = provider("entrance", free_port(), replicas=1)
    status, forecast = place("-f", "-", manifest=entrance)
    apply(entrance)
    wait_ready("entrance", "wasmprovider")
    expect(given(forecast) == placed("entrance", "wasmprovider"), f"foretold {given(forecast)}")
    delete("wasmprovider", "entrance")

    status, forecast = place("-f", "-", manifest=actor("nowhere", replicas=2, placement={"hostSelector": {"matchLabels": {"zone": "z"}}}))
    expect(status == 1 and forecast["missing"] == 2 and "3 do not match zone=z" in forecast["message"]
           and all(h["reason"] == "Selector" for h in forecast["hosts"]), json.dumps(forecast))
    for name, _ in specs:
        delete("wasmactor", name)


@test
def place_tells_what_a_lost_host_does():
    wait_for("hosts report what runs", reported)
    apply(actor("outlives", replicas=5, placement={"spread": [{**ZONES[0], "whenUnsatisfiable": "ScheduleAnyway"}]}))
    wait_ready("outlives")
    wait_for("the forecast of what runs is what runs", settled("outlives"))
    wait_for("hosts report what runs", reported)
    victim = max(placed("outlives"), key=placed("outlives").get)
    status, forecast = place("wasmactor/outlives", "--without", f"host/{victim[:12]}")
    after = forecast["without"]
    expect(status == 0 and after["gone"] == [victim] and after["lost"] == placed("outlives")[victim]
           and after["missing"] == 0, json.dumps(after))
    out = ctl("place", "wasmactor/outlives", "--without", f"host/{victim[:12]}")
    expect(f"Without host/{victim[:12]} ({after['lost']} replicas are lost): 5 of 5 replicas on 2 of 2 hosts" in out, out)
    child = next(h for h in Env.get().hosts() if h["hostID"].lower() == victim)
    dev("host", "kill", child["name"], "--signal", "9")
    try:
        wait_for("the replicas run elsewhere", lambda: sum(placed("outlives").values()) == 5 and victim not in placed("outlives"))
        expect(given(after) == placed("outlives"), f"foretold {given(after)}, done {placed('outlives')}")
        status, forecast = place("wasmactor/outlives")
        expect(status == 0 and victim not in [h["host"] for h in forecast["hosts"]], "a dead host is counted")
    finally:
        dev("host", "start", child["name"])
    wait_for("the host is back", lambda: condition(get("latticehost", victim), "Ready")["status"] == "True")
    delete("wasmactor", "outlives")
    out = ctl("top", "latticehosts", "--no-headers")
    expect(victim in out, out)
