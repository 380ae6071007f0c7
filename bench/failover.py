#!/usr/bin/env python3
"""How long a replica is away when its host is killed: kill -9 of the host process to the actor's HTTP answer through a provider that
lives on another host.

Usage: bench/failover.py [--kills N] [--build DIR]
Brings up an environment of its own (named "failover", three hosts), and removes it again."""
import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    args = parser.parse_args()
    wasmctl = os.path.join(args.build, "wasmctl")
    cache = os.environ.get("WASMCTL_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wasmctl")
    hello = os.path.join(cache, "examples", "hello.wasm")
    parts = subprocess.run([os.path.join(HERE, "dev/parts/build.sh"), "--path", "wasmcloud-host"], check=True,
                           capture_output=True, text=True).stdout.strip()

    def run(*words, **kw):
        return subprocess.run([wasmctl, *words], check=True, capture_output=True, text=True, **kw).stdout

    def status():
        return json.loads(run("dev", "status", "--name", "failover", "-o", "json"))

    def until(look, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if look():
                    return
            except (OSError, http.client.HTTPException, subprocess.CalledProcessError, KeyError, IndexError):
                pass
            time.sleep(0.005)
        sys.exit("gave up waiting")

    subprocess.run([wasmctl, "dev", "up", "--name", "failover", "--hosts", "3", "--host-label", "0:role=entrance",
                    "--host-label", "1:role=actor", "--host-label", "2:role=actor"], check=True)
    try:
        env = {**os.environ, "KUBECONFIG": status()["kubeconfig"]}
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        objects = [
            {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmProvider", "metadata": {"name": "http", "namespace": "default"},
             "spec": {"image": f"file://{parts}/http-server.par.gz",
                      "config": {"routing_mode": "address", "default_address": f"127.0.0.1:{port}"},
                      "placement": {"hostSelector": {"matchLabels": {"role": "entrance"}}}}},
            {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor", "metadata": {"name": "hello", "namespace": "default"},
             "spec": {"image": f"file://{hello}", "placement": {"hostSelector": {"matchLabels": {"role": "actor"}}},
                      "capabilities": [{"interface": "wasi:http/incoming-handler", "provider": "http",
                                        "config": {"timeout_ms": "100"}}]}}]
        run("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), env=env)
        run("wait", "--for=condition=Ready", "wasmactor/hello", "--timeout=60s", env=env)

        def answers():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/")
            ok = connection.getresponse().status == 200
            connection.close()
            return ok

        until(answers)
        times = []
        for i in range(args.kills):
            until(lambda: json.loads(run("get", "wasmactor", "hello", "-o", "json", env=env))["status"]["readyReplicas"] == 1)
            placements = json.loads(run("get", "wasmactor", "hello", "-o", "json", env=env))["status"]["placements"]
            host_id = next(p["host"] for p in placements if p["state"] == "Running").upper()
            host = next(c for c in status()["children"] if c.get("hostID") == host_id)
            os.kill(host["pid"], 9)
            began = time.monotonic()
            until(answers)
            times.append(time.monotonic() - began)
            run("dev", "host", "start", "--name", "failover", host["name"])
            until(lambda: json.loads(run("get", "latticehost", host_id.lower(), "-o", "json", env=env))
                  ["status"]["conditions"][0]["status"] == "True")
        times.sort()
        print(f"{args.kills} kills: median {statistics.median(times):.2f} s, p95 {times[int(0.95 * (len(times) - 1))]:.2f} s, "
              f"longest {times[-1]:.2f} s")
    finally:
        subprocess.run([wasmctl, "dev", "down", "--name", "failover", "--purge"], check=True)


main()
