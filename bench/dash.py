#!/usr/bin/env python3
"""The dashboard with many actors: from its start to the first rows and to all of them, memory, key to screen while scrolling, frames
and CPU time under changes, and when nothing happens.

Usage: bench/dash.py [--actors N] [--changes N] [--idle SECONDS] [--build DIR]
Plays three API servers with N actors in all (10,000), ten hosts and a hundred Events each, and shows them on a terminal of 200x60."""
import argparse
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = ("aws", "azure", "on-prem")
SIZE = (200, 60)
QUIET_MS = 5  # between two frames
KINDS = {"wasmactors": "WasmActor", "wasmproviders": "WasmProvider", "latticehosts": "LatticeHost", "lattices": "Lattice", "events": "Event"}


def actor(i, hosts):
    on = [hosts[(i + k) % len(hosts)]["metadata"]["name"] for k in range(3)]
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor",
            "metadata": {"name": f"actor-{i:05}", "namespace": f"team-{i % 20}", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1,
                         "labels": {"tier": "web", "app": f"shop-{i % 50}"}, "uid": f"00000000-0000-0000-0000-{i:012}"},
            "spec": {"lattice": "default", "image": "registry.example.com/shop/cart:1.4.2", "replicas": 3,
                     "config": {"greeting": "hello"}, "capabilities": [{"interface": "wasi:http/incoming-handler", "provider": "http-server"}]},
            "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "componentID": f"team-actor-{i:05}",
                       "placements": [{"host": h, "replicas": 1, "state": "Running", "ready": True} for h in on],
                       "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "3 of 3 replicas run",
                                       "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}


def host(name, i):
    ready = [{"type": "Ready", "status": "True", "reason": "Heartbeating", "message": ""}]
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "LatticeHost",
            "metadata": {"name": f"n{name}{i:03}", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"cloud": name, "zone": "abc"[i % 3]}},
            "spec": {"lattice": "default", "hostID": f"N{i}"},
            "status": {"conditions": ready, "friendlyName": f"calm-sky-{i}", "version": "1.9.0", "actorCount": 300, "providerCount": 1}}


def event(i):
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"e{i}", "namespace": "team-1", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "type": "Normal", "reason": "Running", "message": "3 replicas run", "count": 1, "lastTimestamp": "2026-01-01T00:00:00Z",
            "involvedObject": {"kind": "WasmActor", "name": f"actor-{i:05}"}, "source": {"component": "wasm-operator"}}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name, actors):
        super().__init__(("127.0.0.1", 0), Handler)
        self.version, self.watchers, self.lock = 1000, [], threading.Lock()
        hosts = [host(name, i) for i in range(10)]
        ready = [{"type": "Ready", "status": "True", "reason": "HostsReady", "message": ""}]
        lattice = {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "default"},
                   "spec": {"driver": "wasmcloud.v1", "id": "default"},
                   "status": {"connected": True, "rttMillis": 1, "hosts": {"ready": 10, "total": 10}, "conditions": ready}}
        self.objects = {"wasmactors": [actor(i, hosts) for i in actors], "wasmproviders": [], "latticehosts": hosts, "lattices": [lattice],
                        "events": [event(i) for i in range(100)]}
        for kind in self.objects.values():
            for i, o in enumerate(kind):
                o["metadata"]["resourceVersion"] = str(i + 1)
        self.pages = {}  # (kind, limit) -> bodies
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def page(self, kind, limit, start):
        """Pages are made once, so that what is measured is the dashboard."""
        with self.lock:
            if (kind, limit) not in self.pages:
                items = self.objects[kind]
                pages = []
                for at in range(0, max(len(items), 1), limit):
                    more = len(items) - at - limit
                    meta = {"resourceVersion": "1000", **({"continue": str(at + limit), "remainingItemCount": more} if more > 0 else {})}
                    pages.append(json.dumps({"kind": KINDS[kind] + "List", "apiVersion": "v1", "metadata": meta,
                                             "items": items[at:at + limit]}, separators=(",", ":")).encode())
                self.pages[kind, limit] = pages
            return self.pages[kind, limit][start // limit]

    def change(self, i):
        """One actor loses or gets back a replica."""
        o = self.objects["wasmactors"][i % len(self.objects["wasmactors"])]
        self.version += 1
        o["metadata"]["resourceVersion"] = str(self.version)
        o["status"]["readyReplicas"] = 5 - o["status"]["readyReplicas"]
        line = json.dumps({"type": "MODIFIED", "object": o}, separators=(",", ":")).encode() + b"\n"
        chunk = b"%x\r\n%s\r\n" % (len(line), line)
        for watcher in list(self.watchers):
            try:
                watcher.sendall(chunk)
            except OSError:
                self.watchers.remove(watcher)  # of a run before


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        at = urlparse(self.path)
        query = {k: v[0] for k, v in parse_qs(at.query).items()}
        kind = at.path.rstrip("/").rsplit("/", 1)[1]
        if kind not in KINDS:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif query.get("watch") in ("1", "true"):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if kind == "wasmactors":
                self.server.watchers.append(self.connection)
            threading.Event().wait()
        else:
            body = self.server.page(kind, int(query.get("limit", 500)), int(query.get("continue", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class Dash:
    def __init__(self, command, env):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))

        def prepare():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.began = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=prepare)
        os.close(slave)
        self.out = b""

    def read(self, timeout):
        if not select.select([self.master], [], [], timeout)[0]:
            return b""
        piece = os.read(self.master, 1 << 20)
        self.out += piece
        return piece

    def until(self, pattern, what):
        end = time.perf_counter() + 60
        while not re.search(pattern, self.out):
            if time.perf_counter() > end:
                sys.exit(f"never on the screen: {what}\n{self.out[-2000:]!r}")
            self.read(0.1)
        return time.perf_counter() - self.began

    def settle(self, seconds=1.5):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.read(0.05)
        self.out = b""

    def cpu(self):
        """Seconds of CPU time, exactly."""
        return int(open(f"/proc/{self.process.pid}/schedstat").read().split()[0]) / 1e9

    def memory(self, name):
        return int(re.search(name + r":\s+(\d+)", open(f"/proc/{self.process.pid}/status").read())[1]) / 1024

    def latencies(self, keys, n):
        """ms from a key to the first byte of the frame that shows it."""
        found = []
        for i in range(n):
            while self.read(0.002):
                pass
            began = time.perf_counter()
            os.write(self.master, keys[i % len(keys)])
            if not self.read(5):
                sys.exit(f"the key {keys[i % len(keys)]!r} changes nothing on the screen")
            found.append((time.perf_counter() - began) * 1000)
            time.sleep((i * 7 % 50) / 1000)  # a key every now and then, not in step with the frames
        return found

    def frames(self, seconds):
        """Frames in so many seconds: bursts of output with silence between them."""
        n, last, end = 0, 0.0, time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            if self.read(0.001):
                n += (now - last) * 1000 > QUIET_MS
                last = time.perf_counter()
        self.out = b""
        return n / seconds

    def close(self):
        os.write(self.master, b"q")
        end = time.perf_counter() + 10
        while self.process.poll() is None and time.perf_counter() < end:
            try:
                self.read(0.1)
            except OSError:
                break
        self.process.wait(10)
        os.close(self.master)


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=10000)
    parser.add_argument("--changes", type=int, default=1000, help="a second")
    parser.add_argument("--idle", type=float, default=30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    args = parser.parse_args()
    servers = [Server(name, range(k, args.actors, len(NAMES))) for k, name in enumerate(NAMES)]
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config")
        with open(config, "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": NAMES[0], "users": [{"name": "u", "user": {"token": "t"}}],
                       "clusters": [{"name": n, "cluster": {"server": f"http://127.0.0.1:{s.server_address[1]}"}}
                                    for n, s in zip(NAMES, servers)],
                       "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in NAMES]}, f)
        env = {**os.environ, "KUBECONFIG": config, "HOME": folder, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        command = [os.path.join(args.build, "wasmctl"), "dash", "--all-contexts", "--layout", "v(clusters:20, actors:60, hosts:20)"]
        firsts, rows, alls = [], [], []
        for run in range(args.runs):
            dash = Dash(command, env)
            firsts.append(dash.until(rb"Clusters", "the first frame") * 1000)
            rows.append(dash.until(rb"actor-\d{5}", "a row") * 1000)
            alls.append(dash.until(rb"%d\)" % args.actors, "all actors") * 1000)
            if run + 1 < args.runs:
                dash.close()
        print(f"{args.actors} actors in three clusters, {SIZE[0]}x{SIZE[1]}; medians of {args.runs}, most")
        for what, values in (("start to the first frame", firsts), ("start to the first rows", rows), ("start to all counted", alls)):
            print(f"  {what}: {statistics.median(values):.0f} ms ({max(values):.0f} ms)")
        dash.settle()
        print(f"  memory: {dash.memory('VmRSS'):.1f} MiB, {dash.memory('VmHWM'):.1f} MiB at most")
        os.write(dash.master, b"\t")  # to the actors
        dash.settle(0.5)
        quiet = dash.latencies([b"j", b"j", b"\x06", b"k", b"G", b"g"], 200)
        print(f"  key to screen, scrolling: median {statistics.median(quiet):.1f} ms, p99 {percentile(quiet, 0.99):.1f} ms")
        dash.settle()
        used = dash.cpu()
        time_began = time.perf_counter()
        while time.perf_counter() - time_began < args.idle:
            dash.read(0.5)
        used = (dash.cpu() - used) / args.idle
        print(f"  idle for {args.idle:.0f} s: {used * 100:.2f} % of a core")

        over = threading.Event()

        def load():
            n, began = 0, time.perf_counter()
            while not over.is_set():
                due = int((time.perf_counter() - began) * args.changes)
                for i in range(n, due):
                    servers[i % 3].change(i // 3 * 17)
                n = due
                time.sleep(0.002)
        loader = threading.Thread(target=load)
        loader.start()
        dash.settle()
        used, began = dash.cpu(), time.perf_counter()
        rate = dash.frames(10)
        used = (dash.cpu() - used) / (time.perf_counter() - began)
        print(f"  {args.changes} changes a second: {rate:.1f} frames a second, {used * 100:.0f} % of a core")
        busy = []
        for i in range(200):  # the frame in which the cursor is on another row
            began = time.perf_counter()
            dash.out = b""
            os.write(dash.master, b"j" if i % 20 < 10 else b"k")
            while b"48;5;237" not in dash.out and time.perf_counter() - began < 5:
                dash.read(0.05)
            busy.append((time.perf_counter() - began) * 1000)
            time.sleep((i * 7 % 50) / 1000)
        print(f"  the same, key to screen: median {statistics.median(busy):.1f} ms, p99 {percentile(busy, 0.99):.1f} ms")
        print(f"  memory then: {dash.memory('VmRSS'):.1f} MiB")
        over.set()
        loader.join()
        dash.close()


main()
