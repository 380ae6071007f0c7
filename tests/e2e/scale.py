"""Placement and failover at scale: the real operator with simulated hosts in three clouds (farm.py), each test on a lattice of its
own."""
import os
import time

from farm import Farm
from harness import BUILD, Env, actor, apply, condition, delete, expect, get, test, wait_for, wait_ready

FARM = os.path.join(BUILD, "tests", "hostfarm")
CONCURRENCY = 1000  # calls a replica serves: what the wire carries is replicas times this
ONE = {"topologyKey": "cloud", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}


def lattice(name):
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": name},
            "spec": {"driver": "wasmcloud.v1", "id": name, "nats": {"servers": [Env.get().nats]}}}


def hosts_ready(name):
    return get("lattice", name).get("status", {}).get("hosts", {}).get("ready", 0)


def replicas(farm, name, states=("up",)):
    """[(cloud, replicas)] of the hosts in these states, as the hosts themselves have it."""
    return [(h["labels"]["cloud"], h["components"].get(f"default_{name}", 0) // CONCURRENCY)
            for h in farm.hosts() if h["state"] in states]


def total(placed):
    return sum(n for _, n in placed)


def skews(placed):
    """Between the fullest and the emptiest host, and between clouds."""
    clouds = {}
    for cloud, n in placed:
        clouds[cloud] = clouds.get(cloud, 0) + n
    hosts = [n for _, n in placed]
    return max(hosts) - min(hosts), max(clouds.values()) - min(clouds.values())


def wait_even(what, farm, name, wanted, timeout=60):
    """Until exactly so many replicas run and no host and no cloud has more than one above another; tells the seconds."""
    began = time.monotonic()

    def look():
        placed = replicas(farm, name)
        expect(total(placed) == wanted and max(skews(placed)) <= 1, f"{total(placed)} run, skews {skews(placed)}")
        return True
    wait_for(f"{what}: {wanted} replicas, skew at most 1", look, timeout)
    print(f"{what}: {time.monotonic() - began:.2f} s")


@test
def three_hundred_replicas_over_three_clouds():
    apply(lattice("farm"))
    # The last host comes later.
    with Farm(FARM, Env.get().nats, lattice="farm", hosts=31, clouds="a,b,c", start_ms=20) as farm:
        farm("stop", "30")
        wait_for("30 hosts are ready", lambda: hosts_ready("farm") == 30)
        apply(actor("wide", lattice="farm", replicas=300, placement={"spread": [ONE], "rebalance": "gradual"}))
        apply(actor("still", lattice="farm", replicas=60, placement={"spread": [ONE]}))
        wait_even("first placement", farm, "wide", 300)
        wait_ready("wide")
        wait_ready("still")

        began = time.monotonic()
        farm("cut", "cloud=a")
        wait_for("all run in the two clouds left", lambda: total(replicas(farm, "wide")) == 300)
        print(f"a third of all hosts lost, replicas running elsewhere: {time.monotonic() - began:.2f} s")
        expect(max(skews(replicas(farm, "wide"))) <= 1, f"skews over hosts and clouds: {skews(replicas(farm, 'wide'))}")
        expect(total(replicas(farm, "wide", ("cut",))) == 100, "the lost cloud's hosts were emptied")
        wait_for("status counts those that serve, once",
                 lambda: (s := get("wasmactor", "wide")["status"])["replicas"] == s["readyReplicas"] == 300)

        farm("heal", "cloud=a")
        wait_even("the cloud is back, surplus gone and even again", farm, "wide", 300)
        wait_for("status counts each replica once",
                 lambda: (s := get("wasmactor", "wide")["status"])["replicas"] == s["readyReplicas"] == 300)
        wait_for("nothing too many of the other", lambda: total(replicas(farm, "still")) == 60)

        before = replicas(farm, "still")
        farm("start", "30")
        wait_even("a new host has taken its share", farm, "wide", 300)
        expect(replicas(farm, "wide")[30][1] >= 9, f"the new host runs {replicas(farm, 'wide')[30][1]} of 300")
        expect(replicas(farm, "still") == before + [("a", 0)], "without rebalance nothing moves to a new host")
        for name in ("wide", "still"):
            expect(condition(get("wasmactor", name), "Ready")["status"] == "True", f"{name} is not Ready")
            delete("wasmactor", name)
        expect(farm.count()["components"] == 0, f"left behind: {farm.count()}")
    delete("lattice", "farm")
