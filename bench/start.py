#!/usr/bin/env python3
"""What starting costs: short commands of wasmctl and of kubectl in turn, against one real API server (etcd and kube-apiserver of the parts).

Usage: bench/start.py [--runs N] [--build DIR]
Prints medians of wall time and CPU time, and kubectl's as a multiple of wasmctl's."""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(HERE, "tests", "cli"))
sys.dont_write_bytecode = True
from cluster import Cluster, part  # noqa: E402

ACTORS = "".join(f"""apiVersion: wasmctl.dev/v1alpha1
kind: WasmActor
metadata: {{name: actor-{i}}}
spec: {{image: "ghcr.io/example/hello:1", replicas: 0}}
---
""" for i in range(10))
COMMANDS = (["version", "--client"], ["get", "wasmactors"], ["get", "wasmactor", "actor-1", "-o", "json"], ["get", "nodes"],
            ["apply", "--server-side", "--dry-run=server", "-f", "one.yaml"])


def measure(command, env, folder):
    """(wall, CPU) milliseconds of one run."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = status
    if status:
        sys.exit(f"{' '.join(command)}: status {status}")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    args = parser.parse_args()
    programs = [os.path.join(os.path.abspath(args.build), "wasmctl"), part("kubectl")]
    if not all(part(name) for name in ("etcd", "kube-apiserver", "kubectl")):
        sys.exit("the parts are missing: ./install.sh parts")
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "cluster"))
        for name, text in (("all.yaml", ACTORS), ("one.yaml", ACTORS.split("---")[0])):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        cluster = Cluster(os.path.join(folder, "cluster"))
        env = {"PATH": os.environ["PATH"], "HOME": folder, "KUBECONFIG": cluster.kubeconfig, "LC_ALL": "C.UTF-8"}
        try:
            cluster.wait_ready()
            for words in (["install", "--crds"], ["apply", "-f", "all.yaml"]):
                subprocess.run([programs[0], *words], check=True, env=env, cwd=folder, stdout=subprocess.DEVNULL)
            print(f"{args.runs} runs each in turn, medians")
            print(f"{'command':<62}{'wasmctl':>10}{'kubectl':>10}{'ratio':>8}")
            for words in COMMANDS:
                taken = [[measure([program, *words], env, folder) for program in programs] for _ in range(args.runs + 2)][2:]
                for i, what in enumerate(("wall", "CPU")):
                    a, b = (statistics.median(run[p][i] for run in taken) for p in (0, 1))
                    print(f"{' '.join(words) + ', ' + what:<62}{a:>7.1f} ms{b:>7.1f} ms{b / a:>7.1f}x")
        finally:
            cluster.stop()


main()
