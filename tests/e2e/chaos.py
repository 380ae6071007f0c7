"""What production does to it: hosts that die and freeze, a bus that goes away, an operator that is killed, changes under load. Every test
prints what it measured. The limits that decide are far above what is aimed for, since a busy machine must not fail a test; bench/chaos.py
runs the same steps more often and states the numbers."""
import concurrent.futures
import http.client
import json
import os
import random
import signal
import time

from harness import (HELLO, HELLO_AGAIN, HTTP_CAPABILITY, Env, Failed, actor, answers, apply, condition, control, ctl, delete, dev, exists,
                     expect, free_port, get, http_get, is_ready, links_of, provider, test, wait_for, wait_ready)
from load import Load, summary
from pool import ActorWatch, OperatorWatch, Pool, kill_operator, percentile

UNREACHABLE_AFTER = 3.0  # spec.health.unreachableAfter of the Lattice, by default


def http_pair_in(pool, name, port, replicas=1, config=None, **labels):
    """A provider on the pool's host with role=entrance and an actor behind it on those with role=actor; the actor's spec."""
    apply(provider(f"{name}-http", port, placement=pool.selector(role="entrance")))
    spec = {"replicas": replicas, "placement": pool.selector(role="actor", **labels),
            "capabilities": [{"interface": HTTP_CAPABILITY, "provider": f"{name}-http", **({"config": config} if config else {})}]}
    apply(actor(name, **spec))
    wait_ready(f"{name}-http", "wasmprovider")
    wait_ready(name)
    wait_for("it answers", lambda: answers(port))
    return spec


def remove(*names):
    for name in names:
        delete("wasmactor", name)
        if exists("wasmprovider", f"{name}-http"):
            delete("wasmprovider", f"{name}-http")


def first_answer(port, timeout=30.0):
    """Asks until the actor answers with 200; the time of that. One that hangs is given up soon: the next may be answered elsewhere."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            if http_get(port, timeout=0.2)[0] == 200:
                return time.monotonic()
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.005)
    raise Failed(f"no answer for {timeout:.0f} s")


def running_elsewhere(name, lost):
    """The status names a Running placement that is on none of these hosts."""
    placements = get("wasmactor", name)["status"]["placements"]
    return [p for p in placements if p["state"] == "Running" and p["host"] not in [h.object for h in lost]]


# Dying and freezing hosts

def failover(kills):
    """kill -9 of the host of the only replica, again and again; (seconds to HTTP 200, seconds to Running in the status)."""
    port, to_answer, to_running = free_port(), [], []
    with Pool("failover", {"role": "entrance"}, {"role": "actor"}, {"role": "actor"}) as pool:
        watch = OperatorWatch()
        http_pair_in(pool, "failover", port)
        for _ in range(kills):
            victim = next(iter(pool.running("default_failover")))
            killed = victim.signal(signal.SIGKILL)
            to_answer.append(first_answer(port) - killed)
            wait_for("the status says Running", lambda: running_elsewhere("failover", [victim]))
            to_running.append(time.monotonic() - killed)
            pool.back([victim])
            wait_ready("failover")
            expect(list(pool.running("default_failover").values()) == [1000], f"not one replica: {pool.running('default_failover')}")
        remove("failover")
        watch.close(most=20 * kills + 20)
    return to_answer, to_running


@test
def chaos_host_killed():
    to_answer, to_running = failover(5)
    print("host killed to HTTP 200: " + ", ".join(f"{t:.2f} s" for t in to_answer))
    print("host killed to Running in the status: " + ", ".join(f"{t:.2f} s" for t in to_running))
    expect(max(to_answer) < 5 and max(to_running) < 5, "a replacement took more than 5 s")


@test
def chaos_host_frozen():
    """A frozen host is not dead at once; then its work moves, nothing on other hosts is delayed, and no surplus stays when it returns."""
    beside = [f"beside-{i}" for i in range(20)]
    with Pool("frozen", {"n": "0"}, {"n": "1"}, {"n": "2"}) as pool:
        watch = OperatorWatch()
        apply(actor("thawed", placement=pool.selector()))
        wait_ready("thawed")
        victim = next(iter(pool.running("default_thawed")))
        others = {"hostSelector": {"matchLabels": {"pool": "frozen"},
                                   "matchExpressions": [{"key": "n", "operator": "NotIn", "values": [victim.labels["n"]]}]}}
        with ActorWatch() as seen:
            frozen = victim.signal(signal.SIGSTOP)
            try:
                # One after the other while the host is frozen: all at once they would measure how fast two cores compile components.
                for name in beside:
                    apply(actor(name, placement=others))
                wait_for("the replica runs elsewhere", lambda: running_elsewhere("thawed", [victim]), 20)
                moved = time.monotonic() - frozen
                took = wait_for("the actors on other hosts are Ready", lambda: seen.took(beside), 20)
                conditions = get("latticehost", victim.object)["status"]["conditions"]
                expect(condition({"status": {"conditions": conditions}}, "Ready")["reason"] == "ProbeTimeout", json.dumps(conditions))
            finally:
                victim.signal(signal.SIGCONT)
        print(f"host frozen to its replica Running elsewhere: {moved:.2f} s (unreachableAfter is {UNREACHABLE_AFTER:.0f} s)")
        print(f"20 actors made on other hosts meanwhile, one after the other, each from made to Ready: median {percentile(took, 0.5):.2f} s, "
              f"p99 {percentile(took, 0.99):.2f} s")
        expect(moved >= UNREACHABLE_AFTER - 0.5, "a frozen host was given up before its time")
        expect(moved < UNREACHABLE_AFTER + 5 and took[-1] < 5, "too slow")
        wait_for("no surplus is left", lambda: list(pool.running("default_thawed").values()) == [1000])
        wait_for("the status counts one", lambda: (o := wait_ready("thawed")["status"]) and o["replicas"] == o["readyReplicas"] == 1
                 and len(o["placements"]) == 1)
        remove("thawed", *beside)
        watch.close()


@test
def chaos_zone_lost():
    """All hosts of a zone die at once, and later freeze at once: the other zone takes their replicas while they are away."""
    with Pool("zones", {"zone": "x"}, {"zone": "x"}, {"zone": "y"}, {"zone": "y"}) as pool:
        watch = OperatorWatch()
        lost = pool.with_label("zone", "x")
        spread = [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}]
        apply(actor("zoned", replicas=4, placement={**pool.selector(), "spread": spread}))
        wait_ready("zoned")

        def in_zone(zone):
            return sum(n for h, n in pool.running("default_zoned").items() if h.labels["zone"] == zone) // 1000

        def replicas_run_elsewhere():
            return sum(p["ready"] for p in running_elsewhere("zoned", lost)) == 4

        expect(in_zone("x") == in_zone("y") == 2, f"not spread: {pool.running('default_zoned')}")
        began = [h.signal(signal.SIGKILL) for h in lost][0]
        wait_for("the other zone runs all four", replicas_run_elsewhere)
        print(f"zone killed to all replicas Running in the other: {time.monotonic() - began:.2f} s")
        expect(in_zone("y") == 4, f"{pool.running('default_zoned')}")
        pool.back(lost)
        wait_ready("zoned")
        expect(in_zone("x") + in_zone("y") == 4, f"after the return: {pool.running('default_zoned')}")
        # For the second part both zones must have work.
        apply(actor("zoned", replicas=8, placement={**pool.selector(), "spread": spread}))
        wait_ready("zoned")
        expect(in_zone("x") == in_zone("y") == 4, f"not spread: {pool.running('default_zoned')}")
        began = [h.signal(signal.SIGSTOP) for h in lost][0]
        try:
            wait_for("the other zone runs all eight", lambda: sum(p["ready"] for p in running_elsewhere("zoned", lost)) == 8)
            print(f"zone frozen to all replicas Running in the other: {time.monotonic() - began:.2f} s")
        finally:
            returned = [h.signal(signal.SIGCONT) for h in lost][0]
        wait_for("the surplus is gone", lambda: in_zone("x") + in_zone("y") == 8)
        print(f"zone thawed to no surplus: {time.monotonic() - returned:.2f} s")
        wait_for("the status says so too",
                 lambda: (s := get("wasmactor", "zoned")["status"])["replicas"] == s["readyReplicas"] == 8)
        expect(in_zone("x") == in_zone("y") == 4, f"skewed after the return: {pool.running('default_zoned')}")
        remove("zoned")
        watch.close()


# The bus

def silent(child, seconds):
    """The operator or the bus hangs (SIGSTOP) for so long: no host is judged by what was not heard meanwhile, so nothing is started, moved or
    stopped."""
    with Pool("silent", {}, {}) as pool:
        apply(actor("silent", replicas=2, placement=pool.selector()))
        wait_ready("silent")
        watch = OperatorWatch()
        since = {p["host"]: p["since"] for p in get("wasmactor", "silent")["status"]["placements"]}
        pid = Env.get().child(child)["pid"]
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            while time.monotonic() < began + seconds:
                states = {p["state"] for p in get("wasmactor", "silent")["status"]["placements"]}
                expect(states == {"Running"}, f"a hanging {child} made placements {states}")
                time.sleep(0.2)
        finally:
            os.kill(pid, signal.SIGCONT)
        returned = time.monotonic()
        # The hosts answer again: whoever would be taken for dead was judged by now.
        wait_for("hosts are heard again", lambda: all(h.ready() for h in pool.hosts)
                 and condition(get("lattice", "default"), "Connected")["status"] == "True")
        wait_ready("silent")
        print(f"{child} hung for {seconds:.0f} s: nothing was touched, all known {time.monotonic() - returned:.2f} s later")
        acts = [l for l in watch.lines() if any(word in l for word in (" start ", " stop ", " stopped "))]
        expect(acts == [], "the operator acted:\n" + "\n".join(acts))
        expect({p["host"]: p["since"] for p in get("wasmactor", "silent")["status"]["placements"]} == since, "placements changed")
        remove("silent")
        watch.close()


@test
def chaos_silence():
    silent("nats", 5)
    silent("operator", 5)


def bus_down(seconds):
    """The NATS server is away for so long; seconds from its return to the full truth."""
    port = free_port()
    with Pool("bus", {"role": "entrance"}, {"role": "actor"}, {"role": "actor"}) as pool:
        http_pair_in(pool, "bus", port, replicas=2)
        apply(actor("bus-idle", replicas=3, placement=pool.selector()))
        wait_ready("bus-idle")
        watch = OperatorWatch()

        def picture():
            """Everything the operator could take away: objects and what runs on the hosts."""
            return {"objects": sorted((o["kind"], o["metadata"]["name"], o["metadata"]["uid"]) for kind in
                                      ("latticehosts", "wasmactors", "wasmproviders", "lattices") for o in get(kind)["items"]),
                    "running": {h.name: control(f"host.get.{h.id}") for h in pool.hosts},
                    "links": links_of("default_bus")}

        def placements():
            return {name: sorted(p["host"] for p in get("wasmactor", name)["status"]["placements"] if p["ready"])
                    for name in ("bus", "bus-idle")}

        def truth():
            if not (condition(get("lattice", "default"), "Connected")["status"] == "True" and all(h.ready() for h in pool.hosts)):
                return False
            return (all(is_ready(get("wasmactor", name)) for name in ("bus", "bus-idle"))
                    and is_ready(get("wasmprovider", "bus-http")) and first_answer(port, 1))

        before, placed = picture(), placements()
        dev("child", "kill", "nats")
        away = time.monotonic()
        try:
            wait_for("the lattice says it is not connected", lambda: condition(get("lattice", "default"), "Connected")["status"] == "False")
            print(f"bus killed to Connected=False: {time.monotonic() - away:.2f} s")
            while time.monotonic() < away + seconds:
                expect(placements() == placed, f"placements changed while nothing could be known: {placements()}")
                time.sleep(0.5)
        finally:
            dev("child", "start", "nats")
        returned = time.monotonic()
        wait_for("everything is known again", truth, 60)
        took = time.monotonic() - returned
        after = picture()
        for host in before["running"].values():
            host.update(uptime_human="", uptime_seconds=0)
        for host in after["running"].values():
            host.update(uptime_human="", uptime_seconds=0)
        for what, value in before.items():
            expect(after[what] == value, f"{what} changed:\nbefore {json.dumps(value)}\nafter  {json.dumps(after[what])}")
        acts = [l for l in watch.lines() if any(word in l for word in (" stop ", " stopped ", "orphan", "forgetting", " deleted "))]
        expect(acts == [], "the operator took something away:\n" + "\n".join(acts))
        watch.close(most=seconds + 60)
        remove("bus", "bus-idle")
    return took


@test
def chaos_bus_down():
    seconds = float(os.environ.get("WASMCTL_TEST_BUS_DOWN", "15"))
    print(f"bus away for {seconds:.0f} s: nothing was deleted, everything known {bus_down(seconds):.2f} s after its return")


@test
def chaos_bus_restarted_under_load():
    """Calls that a provider had to keep while the bus was away must not use up what lets an actor serve (its concurrency)."""
    port = free_port()
    with Pool("wedge", {"role": "entrance"}, {"role": "actor"}) as pool:
        watch = OperatorWatch()
        http_pair_in(pool, "wedge", port)
        expect(list(pool.running("default_wedge").values()) == [1000], "the default concurrency is not 1000")
        with Load(port, 100, timeout=5) as load:
            load.run_until(1)
            dev("child", "kill", "nats")
            killed = load.seconds()
            load.run_until(killed + 3)
            dev("child", "start", "nats")
            back = time.monotonic()
            answered = first_answer(port) - back
            settled = load.seconds() + 6
            load.run_until(settled + 3)
            result = load.finish()
        late = [f for f in result["failures"] if f[0] >= settled]
        print(f"bus away for 3 s under load: answers {answered:.2f} s after its return; {summary(result)}; "
              f"{len(late)} failed from 6 s after the return on")
        expect(len(late) <= 3, f"it does not answer as before: {late}")
        remove("wedge")
        watch.close()


@test
def chaos_lost_call_ends():
    """A call whose host dies ends with an error and does not hang."""
    port = free_port()
    with Pool("calls", {"role": "entrance"}, {"role": "actor"}) as pool:
        # What a user gets who sets nothing.
        http_pair_in(pool, "calls", port)
        names = [n for l in links_of("default_calls") for n in l["source_config"]]
        values = {k: v for n in names for k, v in control(f"config.get.{n}").items()}
        expect(values.get("timeout_ms") == "30000", f"the link has no timeout of 30 s: {values}")
        # The same with a shorter one.
        http_pair_in(pool, "calls", port, config={"timeout_ms": "2000"})
        victim = pool.with_label("role", "actor")[0]

        def call():
            began = time.monotonic()
            status, _ = http_get(port, timeout=20)
            return status, time.monotonic() - began

        victim.signal(signal.SIGSTOP)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(5) as executor:
            calls = [executor.submit(call) for _ in range(5)]
            wait_for("the calls are with the host", lambda: time.monotonic() > began + 0.5)
            expect(not any(c.done() for c in calls), "a frozen host answered")
            victim.signal(signal.SIGKILL)
            outcomes = [c.result() for c in calls]
        print("calls lost with their host: " + ", ".join(f"HTTP {status} after {took:.2f} s" for status, took in outcomes)
              + " (timeout_ms is 2000)")
        expect(all(status == 408 or 500 <= status < 600 for status, _ in outcomes), "a lost call was answered otherwise")
        expect(all(took < 7 for _, took in outcomes), "a lost call hung")
        pool.back([victim])
        wait_for("it answers again", lambda: answers(port))
        remove("calls")


# The operator

def operator_killed(kills, seed=None):
    """kill -9 of the operator at random moments of a rollout; what is there in the end must be right every time."""
    seed = random.randrange(10000) if seed is None else seed
    print(f"seed {seed}")
    chance = random.Random(seed)
    replicas = {"killed-1": 1, "killed-3": 3, "killed-5": 5}
    with Pool("killed", {}, {}, {}) as pool:
        def roll(image):
            apply({"apiVersion": "v1", "kind": "List", "items": [
                actor(name, image=f"file://{image}", replicas=n, placement=pool.selector()) for name, n in replicas.items()]})

        def all_ready():
            for name in replicas:
                wait_ready(name)

        def check(image):
            for name, n in replicas.items():
                running, status = pool.running(f"default_{name}"), get("wasmactor", name)["status"]
                expect(sum(running.values()) == 1000 * n and max(running.values()) <= 2000, f"{name}: {running}")
                images = set(pool.images(f"default_{name}").values())
                expect(images == {f"file://{image}"}, f"{name} runs {images}")
                expect({p["host"]: 1000 * p["ready"] for p in status["placements"]} == {h.object: c for h, c in running.items()},
                       f"the status of {name} is wrong: {json.dumps(status)} but {running}")
                expect(status["replicas"] == status["readyReplicas"] == status["updatedReplicas"] == n, json.dumps(status))
            ours = {f"default_{name}" for name in replicas}
            for host in pool.hosts:
                left = {c["id"] for c in control(f"host.get.{host.id}")["components"]} - ours
                expect(not left, f"{host.name} still runs {left}")

        roll(HELLO)
        all_ready()
        began = time.monotonic()
        roll(HELLO_AGAIN)
        all_ready()
        length = time.monotonic() - began
        check(HELLO_AGAIN)
        moments = []
        for i in range(kills):
            image = (HELLO, HELLO_AGAIN)[i % 2]
            moments.append(chance.uniform(0, length))
            began = time.monotonic()
            roll(image)
            time.sleep(max(0.0, began + moments[-1] - time.monotonic()))
            kill_operator()
            all_ready()
            check(image)
        print(f"operator killed {kills} times, at " + ", ".join(f"{m:.2f}" for m in moments)
              + f" s of a rollout of {length:.2f} s: the end was right every time")
        remove(*replicas)


@test
def chaos_operator_killed():
    operator_killed(5)


# Changes under load

def rollouts_under_load(seconds, cycles, rate=200, replicas=2, hosts=3):
    """(numbers without a change, numbers with so many rounds of good, bad, good): as long, as many requests a second."""
    port = free_port()
    with Pool("rollout", {"role": "entrance"}, *[{"role": "actor"}] * hosts) as pool:
        watch = OperatorWatch()
        spec = http_pair_in(pool, "rollout", port, replicas=replicas)
        with Load(port, rate, timeout=5) as load:
            load.run_until(seconds)
            calm = load.finish()
        with Load(port, rate, timeout=5) as load:
            for _ in range(cycles):
                apply(actor("rollout", image=f"file://{HELLO_AGAIN}", **spec))
                wait_ready("rollout")
                apply(actor("rollout", image="file:///nowhere/bad.wasm", **spec))
                wait_for("the bad one is told", lambda: condition(get("wasmactor", "rollout"), "Ready")["reason"] == "UpdateFailed")
                apply(actor("rollout", image=f"file://{HELLO}", **spec))
                wait_ready("rollout")
            load.run_until(max(seconds, load.seconds() + 0.5))
            changed = load.finish()
        expect(set(changed["texts"]) == {"Hello from a WebAssembly actor", "Hello again"}, f"other answers came: {changed['texts']}")
        remove("rollout")
        watch.close()
    return calm, changed


@test
def chaos_rollout_under_load():
    calm, changed = rollouts_under_load(8, 1)
    print(f"without a change: {summary(calm)}")
    print(f"good, bad, good:  {summary(changed)}")
    # Calls get lost without any fault, one in some thousands; a replica's absence would cost one in each 5 ms.
    expect(changed["sent"] - changed["ok"] <= calm["sent"] - calm["ok"] + 4, f"calls were lost: {changed['failures']}")


@test
def chaos_drain_under_load():
    port = free_port()
    with Pool("drain", {"role": "entrance"}, {"role": "actor"}, {"role": "actor"}) as pool:
        watch = OperatorWatch()
        http_pair_in(pool, "drain", port)
        with Load(port, 200, timeout=5) as load:
            load.run_until(4)
            calm = load.finish()
        victim = next(iter(pool.running("default_drain")))
        with Load(port, 200, timeout=5) as load:
            began = time.monotonic()
            ctl("drain", victim.object, "--timeout=60s", timeout=90)
            print(f"drain took {time.monotonic() - began:.2f} s")
            expect(victim not in pool.running("default_drain"), "it was not drained")
            victim.stop()
            load.run_until(max(4, load.seconds() + 1))
            changed = load.finish()
        print(f"without a change: {summary(calm)}")
        print(f"drain and stop:   {summary(changed)}")
        expect(changed["sent"] - changed["ok"] <= calm["sent"] - calm["ok"] + 4, f"calls were lost: {changed['failures']}")
        ctl("uncordon", victim.object)
        remove("drain")
        watch.close()
