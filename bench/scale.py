#!/usr/bin/env python3
"""The operator with very many hosts and actors: real kube-apiserver, etcd, nats-server and wasm-operator, simulated hosts
(tests/fake/hostfarm.c) in three clouds.

Measured: all actors created to all Ready; a minute of idleness; a cloud lost to every lost replica running elsewhere; its return. Beside
it what the API server does alone with as many plain status patches, as the bound.

Usage: bench/scale.py [--hosts N] [--actors N] [--idle S] [--build DIR]
Brings up an environment of its own, and removes it again."""
import argparse
import base64
import concurrent.futures
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(HERE, "tests", "e2e"))
from farm import Farm  # noqa: E402

ACTORS = "/apis/wasmctl.dev/v1alpha1/namespaces/default/wasmactors"
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
HERTZ = os.sysconf("SC_CLK_TCK")


class Api:
    """The API server, over one connection a thread."""

    def __init__(self, kubeconfig):
        text = open(kubeconfig, encoding="utf-8").read()
        self.port = int(re.search(r"server: https://127.0.0.1:(\d+)", text).group(1))
        self.tls = ssl.create_default_context(cadata=self.data(text, "certificate-authority-data").decode())
        with tempfile.NamedTemporaryFile() as f:
            f.write(self.data(text, "client-certificate-data") + self.data(text, "client-key-data"))
            f.flush()
            self.tls.load_cert_chain(f.name)
        self.local = threading.local()

    @staticmethod
    def data(text, name):
        return base64.b64decode(re.search(rf"{name}: (\S+)", text).group(1)) + b"\n"

    def __call__(self, method, path, body=None, content_type="application/json"):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=120)
        connection = self.local.connection
        if time.monotonic() - getattr(self.local, "used", 0) > 30:  # the server ends idle connections
            connection.close()
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": content_type})
        response = connection.getresponse()
        answer = response.read()
        self.local.used = time.monotonic()
        if response.status >= 300:
            sys.exit(f"{method} {path}: {response.status} {answer[:300]}")
        return answer

    def writes(self):
        """What was written to our kinds, as ControllerRevisions and as Events: {"wasmactors/status PATCH": n}."""
        counts = {}
        for line in self("GET", "/metrics").decode().split("\n"):
            if not line.startswith("apiserver_request_total{"):
                continue
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            if labels["verb"] not in WRITES or labels["group"] not in ("wasmctl.dev", "events.k8s.io", "apps"):
                continue
            sub = f"/{labels['subresource']}" if labels["subresource"] else ""
            verb = "PATCH" if labels["verb"] == "APPLY" else labels["verb"]
            key = f"{labels['resource']}{sub} {verb}" + ("" if labels["code"].startswith("2") else f" {labels['code']}")
            counts[key] = counts.get(key, 0) + int(float(line.rsplit(" ", 1)[1]))
        return counts


def minus(after, before):
    return {k: n - before.get(k, 0) for k, n in sorted(after.items()) if n != before.get(k, 0)}


class Process:
    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / HERTZ

    def memory(self, which):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            return int(re.search(rf"{which}:\s+(\d+)", f.read()).group(1)) / 1024


class Pulse(threading.Thread):
    """Asks the operator's /healthz again and again: the longest answer bounds how long its loop was ever blocked."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.longest, self.ended = port, 0.0, threading.Event()

    def run(self):
        while not self.ended.wait(0.02):
            began = time.monotonic()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=60).read()
            except OSError as e:
                print(f"/healthz: {e}", file=sys.stderr)
                return
            self.longest = max(self.longest, time.monotonic() - began)

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest


def until(what, look, seconds=1800, every=0.05):
    began = time.monotonic()
    while not look():
        if time.monotonic() - began > seconds:
            sys.exit(f"gave up waiting: {what}")
        time.sleep(every)
    return time.monotonic() - began


def actor(i):
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor",
            "metadata": {"name": f"actor-{i:05}", "namespace": "default", "labels": {"run": "scale"}},
            "spec": {"lattice": "farm", "image": "file:///simulated.wasm", "replicas": 1,
                     "placement": {"hostSelector": {"matchLabels": {"intention": "actor"}}}}}


class Bench:
    def __init__(self, args):
        self.args = args
        self.wasmctl = os.path.join(args.build, "wasmctl")

    def run(self, *words, **kw):
        return subprocess.run([self.wasmctl, *words], check=True, text=True, capture_output=True, **kw).stdout

    def child(self, name):
        return next(c for c in self.status["children"] if c["name"] == name)

    def row(self, what, value):
        print(f"{what:<58}{value:>20}", flush=True)

    def rows_of_writes(self, writes):
        for key, n in writes.items():
            self.row(f"  API writes, {key}", n)

    def metrics(self):
        port = self.child("operator")["ports"]["metrics"]
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()

    def requests(self):
        found = re.search(r'wasm_operator_lattice_requests_total\{lattice="farm"\} (\S+)', self.metrics())
        return float(found.group(1)) if found else 0.0

    def ready(self):
        """Actors whose Ready condition is True, read page by page."""
        n, more = 0, ""
        while True:
            page = json.loads(self.api("GET", f"{ACTORS}?limit=1000&continue={more}"))
            for o in page["items"]:
                n += any(c["type"] == "Ready" and c["status"] == "True" for c in o.get("status", {}).get("conditions", []))
            more = page["metadata"].get("continue", "")
            if not more:
                return n

    def bound(self):
        """Plain status patches, without an operator: what the API server does at best."""
        n = min(self.args.actors, 2000)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            def write(i):
                path = f"{ACTORS}/actor-{i:05}"
                self.api("PATCH", path + "/status", {"status": {"replicas": 1, "readyReplicas": 1, "observedGeneration": 1}},
                         "application/merge-patch+json")
            cpu, began = self.server.cpu(), time.monotonic()
            list(pool.map(write, range(n)))
            took = time.monotonic() - began
            self.row(f"{n} plain status patches, nothing else running", f"{took:.1f} s")
            self.row("  a second", f"{n / took:.0f}")
            self.row("  API server, CPU for each", f"{1000 * (self.server.cpu() - cpu) / n:.1f} ms")

    def create(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: self.api("POST", ACTORS, actor(i)), range(self.args.actors)))

    def phase(self, what, work):
        """Times work() and tells what it cost."""
        writes, requests, cpu, api_cpu = self.api.writes(), self.requests(), self.operator.cpu(), self.server.cpu()
        self.pulse.take()
        began = time.monotonic()
        work()
        took = time.monotonic() - began
        self.row(what, f"{took:.1f} s")
        self.rows_of_writes(minus(self.api.writes(), writes))
        self.row("  NATS requests", f"{self.requests() - requests:.0f}")
        self.row("  operator, CPU", f"{self.operator.cpu() - cpu:.1f} s")
        self.row("  API server, CPU", f"{self.server.cpu() - api_cpu:.1f} s")
        self.row("  operator, longest answer of /healthz", f"{1000 * self.pulse.take():.0f} ms")
        self.row("  operator, resident memory", f"{self.operator.memory('VmRSS'):.0f} MiB")

    def measure(self, farm):
        args = self.args
        self.phase(f"{args.hosts} hosts seen and mirrored", self.mirror)
        self.phase(f"{args.actors} actors, first create to all Ready", self.fill)
        self.row("  most components on a host", max(len(h["components"]) for h in farm.hosts()))
        self.row("  fewest components on a host", min(len(h["components"]) for h in farm.hosts()))
        self.row("  until nothing more is written", f"{self.settle():.0f} s")
        self.idle(farm)
        lost = sum(len(h["components"]) for h in farm.hosts() if h["labels"]["cloud"] == "a")
        farm("cut", "cloud=a")
        self.phase(f"cloud a lost with {lost} replicas, to all running elsewhere",
                   lambda: until("all run again", lambda: farm.count()["distinct"] == args.actors))
        self.phase("  to all Ready", lambda: until("all Ready again", lambda: self.ready() == args.actors, every=1))
        farm("heal", "cloud=a")
        self.phase("cloud a back, to no replica too many",
                   lambda: until("no surplus", lambda: farm.count()["components"] == args.actors))

    def settle(self, quiet=5.0):
        """Until nothing was written for a while: Events and what runs on hosts are told in turns."""
        began = since = time.monotonic()
        last = self.api.writes()
        while time.monotonic() - since < quiet:
            time.sleep(0.5)
            now = self.api.writes()
            if now != last:
                last, since = now, time.monotonic()
        return since - began

    def hosts_ready(self):
        hosts = json.loads(self.api("GET", "/apis/wasmctl.dev/v1alpha1/latticehosts"))["items"]
        return sum(c["type"] == "Ready" and c["status"] == "True" for h in hosts if h["spec"]["lattice"] == "farm"
                   for c in h.get("status", {}).get("conditions", []))

    def mirror(self):
        lattice = {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "farm"},
                   "spec": {"driver": "wasmcloud.v1", "id": "farm", "nats": {"servers": [self.child("nats")["url"]]}}}
        self.run("apply", "-f", "-", env=self.env, input=json.dumps(lattice))
        until("all hosts are mirrored", lambda: self.hosts_ready() == self.args.hosts, 300, 0.5)

    def fill(self):
        args = self.args
        began = time.monotonic()
        self.create()
        print(f"  created after {time.monotonic() - began:.1f} s", flush=True)
        until("all run", lambda: self.farm.count()["distinct"] == args.actors)
        print(f"  running after {time.monotonic() - began:.1f} s", flush=True)
        until("all are Ready", lambda: self.ready() == args.actors, every=1)

    def idle(self, farm):
        seconds = self.args.idle
        before, requests, cpu, writes = farm.count()["requests"], self.requests(), self.operator.cpu(), self.api.writes()
        time.sleep(seconds)  # the measured time itself
        after = farm.count()["requests"]
        other = self.requests() - requests - (after["host.get"] - before["host.get"])
        self.row(f"{seconds} s idle: API writes", sum(minus(self.api.writes(), writes).values()))
        self.rows_of_writes(minus(self.api.writes(), writes))
        self.row("  probes a host and second", f"{(after['host.get'] - before['host.get']) / seconds / self.args.hosts:.2f}")
        self.row("  other NATS requests a host and second", f"{other / seconds / self.args.hosts:.4f}")
        self.row("  operator, CPU", f"{100 * (self.operator.cpu() - cpu) / seconds:.1f} %")

    def __call__(self):
        args = self.args
        subprocess.run([self.wasmctl, "dev", "up", "--name", self.args.name, "--hosts", "1", "--no-lattice"], check=True,
                       stdout=subprocess.DEVNULL)
        try:
            self.status = json.loads(self.run("dev", "status", "--name", self.args.name, "-o", "json"))
            self.env = {**os.environ, "KUBECONFIG": self.status["kubeconfig"]}
            self.api = Api(self.status["kubeconfig"])
            self.operator, self.server = Process(self.child("operator")["pid"]), Process(self.child("apiserver")["pid"])
            self.pulse = Pulse(self.child("operator")["ports"]["health"])
            self.pulse.start()
            with Farm(args.farm, self.child("nats")["url"], lattice="farm",
                      hosts=args.hosts, clouds="a,b,c", start_ms=args.start_ms) as self.farm:
                self.measure(self.farm)
                self.row("operator, most resident memory", f"{self.operator.memory('VmHWM'):.0f} MiB")
                self.pulse.ended.set()
                subprocess.run([self.wasmctl, "dev", "child", "stop", "--name", self.args.name, "operator"], check=True, capture_output=True)
                self.bound()
        finally:
            if not args.keep:
                subprocess.run([self.wasmctl, "dev", "down", "--name", self.args.name, "--purge"], check=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--actors", type=int, default=10000)
    parser.add_argument("--idle", type=int, default=60, help="seconds")
    parser.add_argument("--start-ms", type=int, default=150, help="how long a simulated host takes to start a component")
    parser.add_argument("--name", default="scale", help="of the environment")
    parser.add_argument("--keep", action="store_true", help="leave the environment as it is at the end")
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    parser.add_argument("--farm", default=os.path.join(HERE, "build", "tests", "hostfarm"), help="the host farm of a build with tests")
    args = parser.parse_args()
    for path in (os.path.join(args.build, "wasmctl"), args.farm):
        if not os.path.exists(path):
            sys.exit(f"{path} does not exist: build it, or name another with --build, --farm")
    Bench(args)()


if __name__ == "__main__":
    main()
