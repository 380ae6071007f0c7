#!/usr/bin/env python3
"""What the operator and the actors do when things break, as often as it takes for numbers: the steps of tests/e2e/chaos.py on an environment
of its own (named "chaos-bench"), which is removed again.

Usage: bench/chaos.py [--build DIR] [--only STEP,...] [--kills N] [--operator-kills N] [--bus-seconds S] [--cycles N] [--rounds N]
                      [--seed N]

Steps: failover, frozen, zone, bus, operator, rollout, drain, wedge, calls, monkey."""
import argparse
import os
import random
import statistics
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STEPS = ["failover", "frozen", "zone", "bus", "operator", "rollout", "drain", "wedge", "calls", "monkey"]


def prepare(build, name):
    """Makes the modules of the end-to-end tests use this build and an environment of this name."""
    cache = os.environ.get("WASMCTL_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wasmctl")
    os.environ["WASMCTL_BUILD"] = os.path.abspath(build)
    os.environ["WASMCTL_E2E_NAME"] = name
    os.environ.setdefault("WASMCTL_TEST_HELLO", os.path.join(cache, "examples", "hello.wasm"))
    os.environ.setdefault("WASMCTL_TEST_HELLO_AGAIN", os.path.join(cache, "examples", "hello-again.wasm"))
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(HERE, "tests", "e2e"))


def figures(times):
    times = sorted(times)
    return (f"median {statistics.median(times):.2f} s, p95 {times[min(len(times) - 1, int(0.95 * len(times)))]:.2f} s, "
            f"longest {times[-1]:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    parser.add_argument("--only", default=",".join(STEPS))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--operator-kills", type=int, default=20)
    parser.add_argument("--bus-seconds", type=float, default=60)
    parser.add_argument("--cycles", type=int, default=10, help="rounds of good, bad, good under load")
    parser.add_argument("--rounds", type=int, default=10, help="of random faults and changes (monkey)")
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    steps = args.only.split(",")
    if unknown := [s for s in steps if s not in STEPS]:
        parser.error(f"unknown step {', '.join(unknown)}; there are {', '.join(STEPS)}")
    prepare(args.build, "chaos-bench")
    import chaos  # pylint: disable=import-outside-toplevel
    from harness import Env, Failed, dev, run, WASMCTL  # pylint: disable=import-outside-toplevel
    from monkey import monkey  # pylint: disable=import-outside-toplevel
    from load import summary  # pylint: disable=import-outside-toplevel

    def failover():
        to_answer, to_running = chaos.failover(args.kills)
        print(f"host killed to HTTP 200, {args.kills} kills: {figures(to_answer)}")
        print(f"host killed to Running in the status: {figures(to_running)}")

    def bus():
        took = chaos.bus_down(args.bus_seconds)
        print(f"bus away for {args.bus_seconds:.0f} s: nothing was deleted, everything known {took:.2f} s after its return")

    def rollout():
        for replicas, hosts in ((1, 2), (2, 3), (2, 2)):
            calm, changed = chaos.rollouts_under_load(2 * args.cycles, args.cycles, replicas=replicas, hosts=hosts)
            print(f"{replicas} replicas, {hosts} hosts, without a change: {summary(calm)}")
            print(f"{replicas} replicas, {hosts} hosts, {args.cycles} times good, bad, good: {summary(changed)}")

    run_step = {"failover": failover, "frozen": chaos.chaos_host_frozen, "zone": chaos.chaos_zone_lost, "bus": bus,
                "operator": lambda: chaos.operator_killed(args.operator_kills, args.seed), "rollout": rollout,
                "drain": chaos.chaos_drain_under_load, "wedge": chaos.chaos_bus_restarted_under_load,
                "calls": chaos.chaos_lost_call_ends,
                "monkey": lambda: monkey(args.rounds, 15, random.randrange(10000) if args.seed is None else args.seed)}
    failed = []
    run(WASMCTL, "dev", "down", "--name", "chaos-bench", "--purge", check=False)
    dev("up", "--hosts", "1", timeout=240)
    try:
        for step in steps:
            print(f"--- {step}", flush=True)
            try:
                run_step[step]()
            except Failed as e:
                failed.append(step)
                print(f"FAILED: {e}")
        print(f"operator, resident memory in the end: {Env.get().child('operator')['rssBytes'] / 1048576:.1f} MiB")
    finally:
        dev("down", "--purge")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
