#!/usr/bin/env python3
"""wasmctl get against kubectl get of the same version as the server, in turn, on one local environment.

Usage: bench/get.py [--runs N] [--actors N] [--build DIR]
Brings up an environment of its own (named "bench"), makes N actors that no host fits, measures, and removes it again."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def measure(command, env):
    """(wall s, CPU s, peak KiB) of one run."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = status
    if status:
        sys.exit(f"{' '.join(command)}: status {status}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--actors", type=int, default=100)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    args = parser.parse_args()
    wasmctl = os.path.join(args.build, "wasmctl")
    kubectl = os.path.join(subprocess.run([os.path.join(HERE, "dev/parts/build.sh"), "--path", "kubectl"], check=True,
                                          capture_output=True, text=True).stdout.strip(), "kubectl")
    dev = [wasmctl, "dev", "up", "--name", "bench", "--hosts", "1"]
    subprocess.run(dev, check=True)
    try:
        status = json.loads(subprocess.run([wasmctl, "dev", "status", "--name", "bench", "-o", "json"], check=True,
                                           capture_output=True, text=True).stdout)
        env = {**os.environ, "KUBECONFIG": status["kubeconfig"]}
        items = [{"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor", "metadata": {"name": f"actor-{i}", "namespace": "default"},
                  "spec": {"image": "file:///none.wasm", "replicas": 0}} for i in range(args.actors)]
        subprocess.run([wasmctl, "apply", "-f", "-"], input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
                       text=True, check=True, env=env, stdout=subprocess.DEVNULL)
        print(f"{args.actors} actors, {args.runs} runs each in turn, medians")
        print(f"{'command':<34}{'wasmctl':>12}{'kubectl':>12}{'ratio':>8}")
        for words in (["version", "--client"], ["get", "wasmactors"], ["get", "wasmactors", "-o", "json"]):
            ours, theirs = [], []
            for _ in range(args.runs + 2):
                ours.append(measure([wasmctl, *words], env))
                theirs.append(measure([kubectl, *words], env))
            ours, theirs = ours[2:], theirs[2:]  # the first runs warm caches
            for i, (what, scale, unit) in enumerate((("wall", 1000, "ms"), ("CPU", 1000, "ms"), ("peak memory", 1 / 1024, "MiB"))):
                a = statistics.median(m[i] for m in ours) * scale
                b = statistics.median(m[i] for m in theirs) * scale
                print(f"{' '.join(words) + ', ' + what:<34}{a:>8.1f} {unit:<3}{b:>8.1f} {unit:<3}{b / a:>7.1f}x")
        status = json.loads(subprocess.run([wasmctl, "dev", "status", "--name", "bench", "-o", "json"], check=True,
                                           capture_output=True, text=True).stdout)
        for child in status["children"]:
            if child["name"] == "operator":
                print(f"operator, resident memory with {args.actors} actors: {child['rssBytes'] / 1048576:.1f} MiB")
    finally:
        subprocess.run([wasmctl, "dev", "down", "--name", "bench", "--purge"], check=True)


main()
