#!/usr/bin/env python3
"""wasmctl tail beside stern (the optional part: dev/parts/build.sh stern), in turn, in one run.

From standard input, from a real kube-apiserver whose kubelet is tests/fake/lognode.c, with 500 streams that go on, and over three
clusters. stern has the flags that are best for it (--qps -1, --max-log-requests 1000, colours only where they are the matter).
CPU time is user and system time of the whole process. Output goes to /dev/null or, where lines have to be seen, into a pipe.

Usage: bench/tail.py [--runs N] [--lines N] [--build DIR] [--lognode FILE] [stdin|server|streams|clusters]...
Prints medians; ratio: stern's figure as a multiple of wasmctl's."""
import argparse
import glob
import http.client
import json
import os
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(HERE, "tests", "cli"))
sys.dont_write_bytecode = True
from cluster import CACHE, Cluster, part  # noqa: E402

LINE = 224  # bytes, with its end
ID = "request_id=[0-9a-f]+"
COLOURED = ["-i", "items|none", "-H", ID, "--color=always"]
FEW = ["-i", "ERROR", "-H", ID, "--color=always"]
# What it is, wasmctl's flags, stern's flags, which file
STDIN = (
    ("plain", [], [], "plain"),
    ("include (1 % of the lines), highlight", FEW, FEW, "plain"),
    ("include (all lines), highlight", COLOURED, COLOURED, "plain"),
    ("JSON output", ["-o", "json"], ["-o", "json"], "plain"),
    ("JSON lines, readable", ["-o", "pretty", "--color=never"], ["-o", "ppextjson", "--color=never"], "json"),
)
# Lines of Pods are "<pod> <seq> <ns> xxx..."
SERVER = (
    ("plain", []),
    ("timestamps", ["-t"]),
    ("include (10 % of the lines), highlight", ["-i", r" \d+0 \d", "-H", r"pod-\d+", "--color=always"]),
    ("include (all lines), highlight", ["-i", r"pod-\d+", "-H", "xxx", "--color=always"]),
    ("JSON output", ["-o", "json"]),
)
STERN_BEST = ["--qps", "-1", "--max-log-requests", "1000"]


def write_lines(path, n, as_json):
    with open(path, "w", encoding="ascii") as f:
        for i in range(n):
            level, status = ("ERROR", 500) if i % 100 == 0 else ("INFO", 200)
            stamp = f"2026-01-02T03:{i // 300000 % 60:02}:{i // 5000 % 60:02}.{i % 1000:03}Z"
            request = f"{i * 0x9e3779b97f4a7c15 % 2 ** 64:016x}"
            if as_json:
                text = (f'{{"ts":"{stamp}","level":"{level.lower()}","msg":"item {i} served","request_id":"{request}",'
                        f'"path":"/api/v1/items/{i}","status":{status},"fill":"')
                f.write(text + "x" * (LINE - 3 - len(text)) + '"}\n')
            else:
                text = f"{stamp} {level} request_id={request} path=/api/v1/items/{i} status={status} "
                f.write(text + "x" * (LINE - 1 - len(text)) + "\n")


def spent(command, stdin=subprocess.DEVNULL, env=None):
    """CPU seconds of one run that ends by itself."""
    process = subprocess.Popen(command, env=env, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"{' '.join(command)}: status {status}")
    return usage.ru_utime + usage.ru_stime


def count_lines(command, stdin=subprocess.DEVNULL, env=None):
    process = subprocess.Popen(command, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    n = 0
    while piece := os.read(process.stdout.fileno(), 1 << 20):
        n += piece.count(b"\n")
    if process.wait():
        sys.exit(f"{' '.join(command)}: status {process.returncode}")
    return n


def cpu_of(pid):
    """CPU seconds a process has taken so far, all of its threads."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def memory_of(pid, which):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(rf"{which}:\s+(\d+)", f.read()).group(1)) / 1024


def connections_of(pid):
    """TCP connections of a process."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        known = {words[9] for words in (line.split() for line in f.readlines()[1:]) if words[3] == "01"}
    n = 0
    for fd in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(fd))
        except OSError:
            continue
        n += bool(found and found.group(1) in known)
    return n


class Following:
    """Programs that go on, all writing into one pipe that is read here."""

    def __init__(self, commands, env):
        self.began = time.monotonic()
        read_end, write_end = os.pipe()
        self.children = [subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=write_end, stderr=subprocess.DEVNULL)
                         for command in commands]
        os.close(write_end)
        self.fd, self.rest, self.lines = read_end, b"", 0

    def read(self, seconds):
        """The whole lines that are there; b"" after so many seconds without any."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        piece = os.read(self.fd, 1 << 20)
        if not piece:
            sys.exit(f"{' '.join(self.children[0].args)} has ended")
        text, newline, rest = (self.rest + piece).rpartition(b"\n")
        self.rest = rest
        self.lines += text.count(b"\n") + len(newline)
        return text

    def until_seen(self, n, pattern, limit=180):
        """Seconds from the start until lines of n different sources have come."""
        seen, names = set(), re.compile(pattern, re.M)
        while len(seen) < n:
            seen.update(names.findall(self.read(1)))
            if time.monotonic() - self.began > limit:
                sys.exit(f"only {len(seen)} of {n} sources after {limit} s: {' '.join(self.children[0].args)}")
        return time.monotonic() - self.began

    def for_seconds(self, seconds):
        """(CPU seconds, lines) of that time."""
        end, lines, cpu = time.monotonic() + seconds, self.lines, self.cpu()
        while (left := end - time.monotonic()) > 0:
            self.read(left)
        return self.cpu() - cpu, self.lines - lines

    def cpu(self):
        return sum(cpu_of(child.pid) for child in self.children)

    def memory(self, which):
        return sum(memory_of(child.pid, which) for child in self.children)

    def connections(self):
        return sum(connections_of(child.pid) for child in self.children)

    def stop(self):
        for child in self.children:
            child.kill()
            child.wait()
        os.close(self.fd)


class Node:
    """Pods that write lines (tests/fake/lognode.c)."""

    def __init__(self, program, cluster, *args):
        self.process = subprocess.Popen([program, "--kubeconfig", cluster.kubeconfig, "--node", "127.0.0.1",
                                         "--bytes", str(LINE - 1), *args],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"lognode ended with status {self.process.wait()}")
        self.control_port = json.loads(line)["control"]

    def ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        connection.request(method, path)
        return json.loads(connection.getresponse().read())

    def lines(self):
        return sum(pod["lines"] for pod in self.ask("GET", "/pods"))

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.wasmctl = [os.path.join(os.path.abspath(args.build), "wasmctl"), "tail"]
        self.stern = [part("stern")]
        self.env = {"PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    @staticmethod
    def head(title):
        print(f"\n{title}\n{'':<52}{'wasmctl':>11}{'stern':>11}{'ratio':>8}", flush=True)

    @staticmethod
    def row(what, ours, theirs, unit, digits=2):
        """Of lists of figures; their medians and the spread of ours."""
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{what:<52}{a:>8.{digits}f} {unit:<2}{b:>8.{digits}f} {unit:<2}{b / a if a else 0:>7.1f}x"
              f"   ({min(ours):.{digits}f} to {max(ours):.{digits}f}, {min(theirs):.{digits}f} to {max(theirs):.{digits}f})", flush=True)

    def in_turn(self, run, ours, theirs):
        """Figures of both, each after the other; the first round warms caches."""
        rounds = [(run(ours), run(theirs)) for _ in range(self.args.runs + 1)][1:]
        return [a for a, _ in rounds], [b for _, b in rounds]

    def a_million(self, what, ours, theirs, lines):
        self.row(what, [s * 1e6 / lines for s in ours], [s * 1e6 / lines for s in theirs], "s")

    # From standard input

    def stdin(self):
        files = {}
        for name in ("plain", "json"):
            files[name] = os.path.join(self.folder, name)
            write_lines(files[name], self.args.lines, name == "json")
        self.head(f"Standard input, {self.args.lines} lines of {LINE} bytes: CPU seconds for a million")
        for what, ours, theirs, name in STDIN:
            def run(command, call=spent):
                with open(files[name], "rb") as f:
                    return call(command, f, self.env)
            commands = [*self.wasmctl, "--stdin", *ours], [*self.stern, "--stdin", *theirs]
            if name == "plain" and len({run(command, count_lines) for command in commands}) != 1:
                sys.exit(f"{what}: not the same number of lines")
            self.a_million(what, *self.in_turn(run, *commands), self.args.lines)

    # From an API server

    def cluster(self, name):
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        cluster = Cluster(folder)
        self.clusters.append(cluster)
        return cluster

    def one_cluster(self):
        if not self.clusters:
            self.cluster("one").wait_ready()
        cluster = self.clusters[0]
        self.env["KUBECONFIG"] = cluster.kubeconfig
        return cluster

    def server(self):
        cluster = self.one_cluster()
        node = Node(self.args.lognode, cluster, "--pods", "50", "--rate", "1000")
        try:
            while node.lines() < self.args.lines:
                time.sleep(0.2)
            node.ask("POST", "/stop")
            lines = node.lines()
            self.head(f"API server, 50 Pods with {lines} lines of {LINE} bytes, --no-follow: CPU seconds for a million")
            for what, flags in SERVER:
                last = ["-n", "lognode", "--no-follow", *flags]
                commands = [*self.wasmctl, ".", *last], [*self.stern, ".", *STERN_BEST, "--only-log-lines", *last]
                counted = {count_lines(command, env=self.env) for command in commands}
                if len(counted) != 1 or ("-i" not in flags and counted != {lines}):
                    sys.exit(f"{what}: {counted} lines of {lines}")
                self.a_million(what, *self.in_turn(lambda command: spent(command, env=self.env), *commands), lines)
        finally:
            node.stop()

    def streams(self):
        cluster, n, seconds = self.one_cluster(), self.args.streams, 10
        figures = {"wasmctl": [], "stern": []}
        for i in range(self.args.runs):
            for who in figures:
                # A new one each time: both find as much history.
                node = Node(self.args.lognode, cluster, "--pods", str(n), "--rate", "20", "--namespace", f"{who}-{i}")
                command = [*self.wasmctl, "."] if who == "wasmctl" else [*self.stern, ".", *STERN_BEST]
                following = Following([[*command, "-n", f"{who}-{i}"]], self.env)
                attached = following.until_seen(n, rb"^(pod-\d+) ")
                following.for_seconds(5)
                cpu, lines = following.for_seconds(seconds)
                figures[who].append((attached, cpu * 1e6 / lines, lines / seconds, following.memory("VmRSS"),
                                     following.memory("VmHWM"), following.connections()))
                following.stop()
                node.stop()
        self.head(f"{n} streams that go on, 20 lines of {LINE} bytes a second each, wasmctl without any flags")
        rows = ("until each has delivered its first line", "s"), ("CPU seconds for a million lines", "s"), \
            ("lines a second (offered: %d)" % (20 * n), ""), ("resident memory", "M"), ("most resident memory", "M"), ("connections", "")
        for at, (what, unit) in enumerate(rows):
            ours, theirs = ([run[at] for run in figures[who]] for who in figures)
            self.row(what, ours, theirs, unit, 2 if unit == "s" else 1 if unit else 0)

    def three(self):
        """The kubeconfig of three clusters, which are brought up."""
        clusters = [self.cluster(name) for name in "abc"]
        for cluster in clusters:
            cluster.wait_ready()
        with open(os.path.join(self.folder, "three"), "w", encoding="utf-8") as f:
            parts = {"clusters": [], "contexts": []}
            for name, cluster in zip("abc", clusters):
                parts["clusters"].append({"name": name, "cluster": {"server": f"https://127.0.0.1:{cluster.port}",
                                                                    "certificate-authority": f"{cluster.dir}/server.crt"}})
                parts["contexts"].append({"name": name, "context": {"cluster": name, "user": "u"}})
            json.dump({"apiVersion": "v1", "kind": "Config", "users": [{"name": "u", "user": {"token": "secret-token"}}],
                       "current-context": "a", **parts}, f)
        self.env["KUBECONFIG"] = f.name
        return clusters

    def three_clusters(self):
        pods = 50
        nodes = [Node(self.args.lognode, cluster, "--pods", str(pods), "--rate", "20", "--namespace", f"of-{name}")
                 for name, cluster in zip("abc", self.three())]
        last = ["-n", "of-a,of-b,of-c", "--tail", "1", "-o", "json"]
        ours = [[*self.wasmctl, ".", "--contexts", "a,b,c", *last]]
        theirs = [[*self.stern, ".", *STERN_BEST, "--context", name, *last] for name in "abc"]
        figures = [], []
        for i in range(self.args.runs + 1):
            for commands, into in zip((ours, theirs), figures):
                following = Following(commands, self.env)
                attached = following.until_seen(3 * pods, rb'"namespace":"(of-[abc]","podName":"pod-\d+)"')
                cpu = following.cpu()
                following.stop()
                if i:
                    into.append((attached, cpu))
        for node in nodes:
            node.stop()
        self.head(f"Three clusters with {pods} Pods each, --tail 1 (stern: three processes)")
        for at, (what, unit) in enumerate((("until each Pod has delivered its first line", "s"), ("CPU seconds until then", "s"))):
            self.row(what, *([run[at] for run in runs] for runs in figures), unit)

    def __call__(self):
        deeds = {"stdin": self.stdin, "server": self.server, "streams": self.streams, "clusters": self.three_clusters}
        self.clusters = []
        print(f"{self.args.runs} runs of each in turn, medians (least to most of wasmctl, of stern)")
        try:
            for name in self.args.what or deeds:
                if name == "clusters":
                    self.stop()  # three more are enough for one machine
                deeds[name]()
        finally:
            self.stop()

    def stop(self):
        while self.clusters:
            self.clusters.pop().stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", choices=["stdin", "server", "streams", "clusters", []], metavar="stdin|server|streams|clusters")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lines", type=int, default=500000)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--build", default=os.path.join(HERE, "build-release"))
    parser.add_argument("--lognode", default=os.path.join(HERE, "build", "tests", "lognode"), help="of a build with tests")
    args = parser.parse_args()
    if not part("stern"):
        sys.exit(f"there is no stern in {CACHE}: dev/parts/build.sh stern")
    for path in (os.path.join(args.build, "wasmctl"), args.lognode):
        if not os.path.exists(path):
            sys.exit(f"{path} does not exist: build it, or name another with --build, --lognode")
    with tempfile.TemporaryDirectory() as folder:
        Bench(args, folder)()


if __name__ == "__main__":
    main()
