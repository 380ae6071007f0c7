#!/usr/bin/env python3
"""wasmctl get over three clusters at once, beside kubectl for the three one after the other and side by side; and six
clusters of different speed beside the slowest of them alone.

Usage: bench/fleet.py [--runs N] [--actors N] [--build DIR]
Starts three API servers of its own with N WasmActors each, measures, and stops them. Figures are medians."""
import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(HERE, "tests", "cli"))
import cluster  # noqa: E402
import harness  # noqa: E402

NAMES = ("aws", "azure", "on-prem")
BATCH = 100  # objects a transaction of etcd


def key(text):
    return base64.b64encode(text.encode()).decode()


def etcd(server, path, body):
    request = urllib.request.Request(server.etcd + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def fill(server, wasmctl, actors):
    """One actor by the API, the others copied from it in etcd: what a server keeps of an object, ten thousand times."""
    env = {**os.environ, "KUBECONFIG": server.kubeconfig}
    subprocess.run([wasmctl, "install", "--crds"], check=True, env=env, stdout=subprocess.DEVNULL)
    o = {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor", "metadata": {"name": "actor-00000", "namespace": "default"},
         "spec": {"image": "registry.example.com/shop/cart:1.4.2", "replicas": 3, "config": {"greeting": "hello", "tier": "web"},
                  "capabilities": [{"interface": "wasi:http/incoming-handler", "provider": "http-server"}]}}
    subprocess.run([wasmctl, "apply", "-f", "-"], input=json.dumps(o), text=True, check=True, env=env, stdout=subprocess.DEVNULL)
    at = "/registry/wasmctl.dev/wasmactors/default/"
    found = etcd(server, "/v3/kv/range", {"key": key(at + "actor-00000")})
    pattern = json.loads(base64.b64decode(found["kvs"][0]["value"]))
    for start in range(1, actors, BATCH):
        puts = []
        for i in range(start, min(start + BATCH, actors)):
            name = f"actor-{i:05}"
            pattern["metadata"].update(name=name, uid=str(uuid.uuid4()))
            puts.append({"requestPut": {"key": key(at + name), "value": base64.b64encode(json.dumps(pattern).encode()).decode()}})
        etcd(server, "/v3/kv/txn", {"success": puts})


def merged(servers, path):
    clusters = [{"name": n, "cluster": {"server": f"https://127.0.0.1:{s.port}", "certificate-authority": s.dir + "/server.crt"}}
                for n, s in servers.items()]
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": NAMES[0], "clusters": clusters,
                   "users": [{"name": "u", "user": {"token": "secret-token"}}],
                   "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in servers]}, f)


# The most memory of a process counts from its fork on: a child of this large program would inherit its size.
LAUNCHER = """
import os, sys, time
began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
text = f"{time.perf_counter() - began} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss} {status}"
os.write(int(sys.argv[1]), text.encode())
"""


class Run:
    """One or more processes side by side: wall s, CPU s, peak KiB of all together."""

    def __init__(self, commands, env):
        children = []
        for command in commands:
            figures, told = os.pipe()
            child = subprocess.Popen([sys.executable, "-S", "-E", "-c", LAUNCHER, str(told), *command], env=env, pass_fds=[told],
                                     stdout=subprocess.PIPE)
            os.close(told)
            reader = threading.Thread(target=child.stdout.read)
            reader.start()
            children.append((child, figures, reader))
        self.wall, self.cpu, self.peak = 0, 0, 0
        for child, figures, reader in children:
            with os.fdopen(figures) as f:
                wall, cpu, peak, status = (float(x) for x in f.read().split())
            reader.join()
            child.stdout.close()
            child.wait()
            if status:
                sys.exit(f"{child.args[6:]}: status {status:.0f}")
            self.wall = max(self.wall, wall)
            self.cpu += cpu
            self.peak += peak


def first_page(command, env):
    """Seconds from the first byte of an answer (-v 8 tells it on stderr) to the first row; from the start to both."""
    began = time.perf_counter()
    process = subprocess.Popen([*command, "-v", "8"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    at = {}

    def stderr():
        for line in process.stderr:
            if b": < HTTP/" in line:
                at.setdefault("byte", time.perf_counter())
    reader = threading.Thread(target=stderr)
    reader.start()
    process.stdout.readline()  # the header comes with the first row
    process.stdout.readline()
    at["row"] = time.perf_counter()
    process.stdout.read()
    process.wait()
    reader.join()
    return at["row"] - at["byte"], at["byte"] - began, at["row"] - began


def three_clusters(args, wasmctl):
    kubectl = cluster.part("kubectl")
    with tempfile.TemporaryDirectory() as folder:
        servers = {}
        try:
            for name in NAMES:
                os.mkdir(os.path.join(folder, name))
                servers[name] = cluster.Cluster(os.path.join(folder, name))
            for server in servers.values():
                server.wait_ready()
            began = time.perf_counter()
            for server in servers.values():
                fill(server, wasmctl, args.actors)
            config = os.path.join(folder, "kubeconfig")
            merged(servers, config)
            env = {**os.environ, "KUBECONFIG": config, "HOME": folder}
            ours = [wasmctl, "get", "wasmactors", "--contexts", ",".join(NAMES)]
            theirs = [[kubectl, "get", "wasmactors", "--context", name] for name in NAMES]
            # A server is ready for this when it shows all of them.
            while len(subprocess.run(ours, env=env, capture_output=True).stdout.splitlines()) != 3 * args.actors + 1:
                if time.perf_counter() - began > 300:
                    sys.exit("the servers do not show what etcd holds")
            print(f"{args.actors} WasmActors in each of three clusters, in place {time.perf_counter() - began:.1f} s after the servers")
            for command in theirs:
                Run([command], env)
            pages, fleet, row, beside = [], [], [], []
            for _ in range(args.runs):
                pages.append(first_page(ours, env))
                fleet.append(Run([ours], env))
                row.append([Run([c], env) for c in theirs])
                beside.append(Run(theirs, env))
            m = statistics.median
            print(f"first row after the first byte: {m(p[0] for p in pages) * 1000:.1f} ms "
                  f"(most {max(p[0] for p in pages) * 1000:.1f} ms); the first byte {m(p[1] for p in pages) * 1000:.1f} ms after the start")
            print(f"{'':<34}{'wall':>10}{'CPU':>10}{'peak memory':>16}")
            figures = (
                ("wasmctl get --contexts, three", m(r.wall for r in fleet), m(r.cpu for r in fleet), m(r.peak for r in fleet)),
                ("kubectl, one after the other", m(sum(r.wall for r in rs) for rs in row), m(sum(r.cpu for r in rs) for rs in row),
                 m(max(r.peak for r in rs) for rs in row)),
                ("kubectl, three side by side", m(r.wall for r in beside), m(r.cpu for r in beside), m(r.peak for r in beside)))
            for what, wall, cpu, peak in figures:
                print(f"{what:<34}{wall:>8.3f} s{cpu:>8.3f} s{peak / 1024:>12.1f} MiB")
            for what, *values in figures[1:]:
                ratios = [b / a for a, b in zip(figures[0][1:], values)]
                print(f"{'  against ' + what:<34}{ratios[0]:>9.1f}x{ratios[1]:>9.1f}x{ratios[2]:>15.1f}x")
            peaks = {form: Run([[*ours, "-o", form]], env).peak for form in ("wide", "csv", "name", "ndjson", "yaml", "json")}
            print("peak memory of wasmctl with -o " + ", ".join(f"{form}: {peak / 1024:.1f} MiB" for form, peak in peaks.items()))
        finally:
            for server in servers.values():
                server.stop()


def six_clusters(args, wasmctl):
    delays = {f"c{i}": 0.1 * i for i in range(1, 7)}
    apis, contexts, clusters = [], [], []
    for name, delay in delays.items():
        api = harness.FakeApi()
        answer = harness.Answer(harness.table(*[harness.row(harness.actor(f"{name}-{i}"), "1/1", "img", "5m") for i in range(100)]))
        # The answer of a server that takes its time.
        api.on("GET", harness.ACTORS, lambda _, a=answer, d=delay: threading.Event().wait(d) or a)
        apis.append(api)
        clusters.append({"name": name, "cluster": {"server": f"http://127.0.0.1:{api.port}"}})
        contexts.append({"name": name, "context": {"cluster": name, "user": "u"}})
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "kubeconfig")
        with open(config, "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c1", "clusters": clusters, "contexts": contexts,
                       "users": [{"name": "u", "user": {}}]}, f)
        env = {**os.environ, "KUBECONFIG": config, "HOME": folder}
        slowest, six, each = [], [], []
        for _ in range(args.runs):
            slowest.append(Run([[wasmctl, "get", "wasmactors", "--context", "c6"]], env).wall)
            six.append(Run([[wasmctl, "get", "wasmactors", "--all-contexts"]], env).wall)
            each.append(sum(Run([[wasmctl, "get", "wasmactors", "--context", n]], env).wall for n in delays))
    for api in apis:
        api.close()
    a, b, c = (statistics.median(x) for x in (slowest, six, each))
    print(f"six clusters that take 0.1 to 0.6 s: {b:.3f} s; the slowest alone {a:.3f} s ({b / a:.2f} of it); one after the other {c:.3f} s "
          f"({c / b:.1f}x)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--actors", type=int, default=10000)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    args = parser.parse_args()
    wasmctl = os.path.join(args.build, "wasmctl")
    six_clusters(args, wasmctl)
    three_clusters(args, wasmctl)


main()
