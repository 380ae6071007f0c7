"""`wasmctl tail` over three real API servers whose Pods write numbered lines `<source> <seq> <ns>`: none lost, none twice, all in order.

    tail_real.py [--long] [--rate LINES] [--sources N] [CASE...]

The short form is what the tests run; --long takes the full rate (50 sources a cluster, 300 lines a second each) and outages of 1, 5 and
30 s. What each case printed and lost is told at its end. Skipped (77) when the real parts were not built.
"""
import argparse
import collections
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from cluster import Cluster, part

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
LOGNODE = os.path.join(os.path.dirname(os.path.abspath(WASMCTL)), "tests", "lognode")
# The clusters, and how late their lines come.
CONTEXTS = {"near": 5, "middle": 80, "far": 300}
WINDOW_MS = 500
PATIENCE = 150
STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+"
PLAIN = re.compile(rb"(\S+) (\S+) \S+ (\(late\) )?(\S+) (\d+) (\d+)( x*)?$")


class Failed(Exception):
    pass


def wait_for(what, condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"waited in vain for {what() if callable(what) else what}")
        threading.Event().wait(0.02)


def pause(seconds):
    """How long something is to be so, not a wait for something."""
    threading.Event().wait(seconds)


class Node:
    """lognode, joined to a cluster."""

    def __init__(self, cluster, namespace, *args):
        self.process = subprocess.Popen([LOGNODE, "--kubeconfig", cluster.kubeconfig, "--node", "127.0.0.1", "--namespace", namespace, *args],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"lognode ended with status {self.process.wait()}")
        self.port = json.loads(line)["control"]

    def control(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise Failed(f"{method} {path}: {answer.status} {body}")
        return json.loads(body)

    def pods(self):
        return {p["pod"]: p for p in self.control("GET", "/pods")}

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


class Reader:
    """The lines of `wasmctl tail`, checked as they come. Sources are (context, run of a container)."""

    def __init__(self, kubeconfig, *args, contexts=CONTEXTS):
        self.restarts, self.began = False, None
        self.gate = threading.Event()  # cleared: nothing is read
        self.gate.set()
        self.first, self.at, self.holes = {}, {}, collections.defaultdict(list)
        self.repeated, self.disorder, self.late, self.lines, self.strange, self.talk = [], 0, 0, 0, [], []
        self.latest = 0
        self.runs = collections.defaultdict(list)  # the last number of each run of a container that was started anew
        self.process = subprocess.Popen(
            [WASMCTL, "tail", "--kubeconfig", kubeconfig, "--contexts", ",".join(contexts), *args], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.threads = [threading.Thread(target=self.read, daemon=True), threading.Thread(target=self.listen, daemon=True)]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.process.stdout:
            self.gate.wait()
            found = PLAIN.match(line.rstrip(b"\n"))
            if found:
                self.take(found)
            else:
                self.strange.append(line.decode().rstrip("\n"))

    def take(self, found):
        self.began = self.began or time.monotonic()
        context, _, late, source, number, ns, _ = found.groups()
        key, number, ns = (context, source), int(number), int(ns)
        self.lines += 1
        want = self.at.get(key)
        if want is None:
            self.first[key] = number
        elif number > want:
            self.holes[key].append((want, number - 1))
        elif number == 1 and self.restarts:
            self.runs[key].append(want - 1)
        elif number < want:
            self.repeated.append((key, number))
            return
        self.at[key] = number + 1
        if late:
            self.late += 1
        elif ns < self.latest:
            self.disorder += 1
        self.latest = max(self.latest, ns)

    def listen(self):
        for line in self.process.stderr:
            self.talk.append(line.decode().rstrip("\n"))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        for thread in self.threads:
            thread.join(10)

    def seen(self, context, source):
        """The number of the last line."""
        return self.at.get((context.encode(), source.encode()), 0) - 1


class SternReader(Reader):
    """One stern a cluster, with what it needs to show all."""

    def __init__(self, kubeconfig, *args):
        self.restarts, self.began = False, None
        self.first, self.at, self.holes = {}, {}, collections.defaultdict(list)
        self.repeated, self.disorder, self.late, self.lines, self.strange, self.talk = [], 0, 0, 0, [], []
        self.latest, self.runs, self.lock = 0, collections.defaultdict(list), threading.Lock()
        namespace = args[args.index("-n") + 1]
        more = [a for a in args if a.startswith("--tail")]
        self.processes = [subprocess.Popen(
            [part("stern"), "--kubeconfig", kubeconfig, "--context", context, "-n", namespace, "--max-log-requests=1000", "-o", "raw",
             "--color=never", "--only-log-lines", *more, "."], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for context in CONTEXTS]
        self.threads = [threading.Thread(target=self.read_one, args=(c, p), daemon=True) for c, p in zip(CONTEXTS, self.processes)]
        self.threads += [threading.Thread(target=self.listen_to, args=(p,), daemon=True) for p in self.processes]
        for thread in self.threads:
            thread.start()

    def read_one(self, context, process):
        for line in process.stdout:
            found = PLAIN.match(context.encode() + b" - - " + line.rstrip(b"\n"))
            with self.lock:
                if found:
                    self.take(found)
                else:
                    self.strange.append(line.decode().rstrip("\n"))

    def listen_to(self, process):
        for line in process.stderr:
            self.talk.append(line.decode().rstrip("\n"))

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait(20)
        for thread in self.threads:
            thread.join(10)


class Stage:
    def __init__(self, options, folder):
        self.options, self.clusters = options, {}
        for name in CONTEXTS:
            path = os.path.join(folder, name)
            os.mkdir(path)
            self.clusters[name] = Cluster(path)
        for cluster in self.clusters.values():
            cluster.wait_ready()
        self.kubeconfig = os.path.join(folder, "all")
        with open(self.kubeconfig, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "near",
                       "clusters": [{"name": n, "cluster": {"server": f"https://127.0.0.1:{c.port}",
                                                            "certificate-authority": f"{c.dir}/server.crt"}}
                                    for n, c in self.clusters.items()],
                       "users": [{"name": "u", "user": {"token": "secret-token"}}],
                       "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in self.clusters]}, file)

    def close(self):
        for cluster in self.clusters.values():
            cluster.stop()


class Run:
    """One case: nodes that write, a tail that reads, and the account at the end."""

    def __init__(self, stage, name, *tail, node=(), rate=None, sources=None, before=None, kubeconfig=None):
        self.stage, self.name = stage, name
        self.patience = 10 if stage.options.stern else PATIENCE
        self.rate, self.sources = rate or stage.options.rate, sources or stage.options.sources
        self.nodes = {}
        for context, ms in CONTEXTS.items():
            self.nodes[context] = Node(stage.clusters[context], name, "--pods", str(self.sources), "--rate", str(self.rate), *node)
            self.nodes[context].control("POST", f"/faults?what=delay&ms={ms}")
        if before:
            wait_for("enough lines of all", lambda: all(s["lines"] > 20 for n in self.nodes.values() for s in n.pods().values()))
            for one in self.nodes.values():
                before(one)
        reader = SternReader if stage.options.stern else Reader
        self.reader = reader(kubeconfig or stage.kubeconfig, "-n", name, f"--order-window={WINDOW_MS}ms", "--only-log-lines", *tail, ".")

    def each(self, method, path):
        for node in self.nodes.values():
            node.control(method, path)

    def all_flow(self, more=20):
        """Every source delivers: so many more lines of each than until now."""
        wanted = {(c, p): self.reader.seen(c, p) + more for c, node in self.nodes.items() for p in node.pods() if p.startswith("pod-")}

        def behind():
            return [f"{c}/{p}" for (c, p), n in wanted.items() if self.reader.seen(c, p) < n]
        try:
            wait_for(lambda: f"lines of {behind()[:5]} and others ({len(behind())} in all)", lambda: not behind(), self.patience)
        except Failed:
            if not self.stage.options.stern:
                raise

    def finish(self, runs=None):
        """Nothing more is written; waits until all that was has come, and closes everything. runs: of sources that ended before,
        (context, source, lines)."""
        self.each("POST", "/stop?pod=*")
        pods = [(c, p, state["lines"]) for c, node in self.nodes.items() for p, state in node.pods().items()]
        self.all = [x for x in pods if not x[1].startswith("short-")] + (runs or [])

        def missing():
            return [f"{c}/{p} has {self.reader.seen(c, p)} of {n}" for c, p, n in self.all if n and self.reader.seen(c, p) < n]
        try:
            wait_for(lambda: f"the last lines: {missing()[:5]} and others ({len(missing())} in all)", lambda: not missing(), self.patience)
        except Failed:
            if not self.stage.options.stern:
                raise
        finally:
            self.reader.end()
            for node in self.nodes.values():
                node.close()

    def account(self, first=1, holes=0, gaps=None, disorder=0):
        r = self.reader
        lost = sum(b - a + 1 for ranges in r.holes.values() for a, b in ranges)
        # A source of which nothing was to be skipped begins with its first line.
        late_start = sum(n - first for n in r.first.values() if n > first) if first is not None else 0
        if self.stage.options.stern:
            unread = sum(max(n - max(self.reader.seen(c, p), 0), 0) for c, p, n in self.all)
            print(f"stern {self.name}: {r.lines} lines of {len(r.at)} sources: {lost} lost in the middle, {unread} at the end, "
                  f"{len(r.repeated)} repeated, {len(r.strange)} broken lines", flush=True)
            return
        told = [line for line in r.strange if "missing" in line or "gap" in line.lower() or "lost" in line.lower()]
        print(f"{self.name}: {r.lines} lines of {len(r.at)} sources ({self.rate}/s each): {lost + late_start} lost, {len(r.repeated)} repeated, "
              f"{r.disorder} out of order, {r.late} late, {len(told)} gap lines", flush=True)
        problems = []
        if lost + late_start != holes:
            problems.append(f"{lost} lost, {late_start} not begun with: {dict(list(r.holes.items())[:5])}")
        if r.repeated:
            problems.append(f"repeated: {r.repeated[:5]}")
        if r.disorder > disorder:
            problems.append(f"{r.disorder} out of order")
        if gaps is not None and len(told) != gaps:
            problems.append(f"{len(told)} gap lines, not {gaps}: {told[:3]}")
        rest = [line for line in r.strange if line not in told]
        if rest:
            problems.append(f"lines that nobody wrote: {rest[:3]}")
        if problems:
            raise Failed("; ".join(problems) + f"\ntalk: {r.talk[-10:]}")


def plain(stage):
    run = Run(stage, "plain")
    run.all_flow()
    pause(20 if stage.options.long else 4)
    run.finish()
    run.account()
    if run.reader.late:
        raise Failed(f"{run.reader.late} lines were late though the window is longer than any delay")


def default_window(stage):
    """Delays that differ by more than the window: lines that come too late say so, and nothing else is out of order."""
    global WINDOW_MS
    WINDOW_MS, was = 250, WINDOW_MS
    try:
        run = Run(stage, "window", sources=max(1, stage.options.sources // 5))
    finally:
        WINDOW_MS = was
    run.all_flow()
    pause(2)
    run.finish()
    run.account()


def kill(stage, name, seconds, again=False):
    run = Run(stage, name)
    run.all_flow()
    cluster = stage.clusters["middle"]
    command = cluster.kill_server()
    pause(seconds)
    cluster.start_server(command)
    if again:
        cluster.wait_ready()
        pause(0.2)
        command = cluster.kill_server()
        cluster.start_server(command)
    run.all_flow()
    run.finish()
    # Lines of a cluster that was away come when the others are further: they are marked as late.
    run.account()


def killed_1s(stage):
    kill(stage, "killed-1s", 1)


def killed_5s(stage):
    kill(stage, "killed-5s", 5)


def killed_30s(stage):
    kill(stage, "killed-30s", 30)


def killed_twice(stage):
    kill(stage, "killed-twice", 1, again=True)


def rotated_in_the_gap(stage):
    """The kubelet puts aside what was written while nobody could read: just that is missing, and is told."""
    run = Run(stage, "rotated")
    run.all_flow()
    cluster, node = stage.clusters["middle"], run.nodes["middle"]
    command = cluster.kill_server()
    wait_for("the streams of the node end", lambda: not node.control("GET", "/streams"))
    pause(2)
    node.control("POST", "/rotate?pod=*")
    firsts = {p: state["first"] for p, state in node.pods().items()}
    cluster.start_server(command)
    run.all_flow()
    run.finish()
    lost = {k[1].decode(): v for k, v in run.reader.holes.items()}
    for source, ranges in lost.items():
        if len(ranges) != 1 or ranges[0][1] != firsts[source] - 1:
            raise Failed(f"{source}: {ranges} are missing, the log begins with {firsts[source]}")
    if set(lost) != set(firsts):
        raise Failed(f"gaps of {len(lost)} sources, {len(firsts)} were rotated")
    run.account(holes=sum(b - a + 1 for ranges in lost.values() for a, b in ranges), gaps=len(firsts))


def ended_again_and_again(stage):
    """The streams end cleanly though the containers run."""
    every = 10000 if stage.options.long else 1500
    run = Run(stage, "ended")
    run.each("POST", f"/faults?what=eof&ms={every}&times=0")
    pause(35 if stage.options.long else 6)
    run.each("DELETE", "/faults")
    run.all_flow()
    run.finish()
    run.account()


def cut_again_and_again(stage):
    """Connections break in the middle of lines."""
    run = Run(stage, "cut")
    run.each("POST", "/faults?what=cut&ms=1300&lines=7&times=0")
    pause(20 if stage.options.long else 6)
    run.each("DELETE", "/faults")
    run.all_flow()
    run.finish()
    run.account()


def stalled(stage):
    """Connections stay, and nothing comes for a while."""
    run = Run(stage, "stalled")
    run.all_flow()
    run.nodes["far"].control("POST", "/faults?what=stall")
    pause(3)
    run.nodes["far"].control("DELETE", "/faults")
    run.all_flow()
    run.finish()
    run.account()


def short_lived(stage):
    a_minute = "100" if stage.options.long else "400"
    run = Run(stage, "short", node=("--short", a_minute, "--short-ms", "1500", "--linger-ms", "2000"), sources=2)
    pause(60 if stage.options.long else 8)
    ended = [(c, e["pod"], e["lines"]) for c, node in run.nodes.items() for e in node.control("GET", "/ended")]
    if len(ended) < 20:
        raise Failed(f"only {len(ended)} Pods have come and gone")
    run.finish(ended)
    run.account()


def restarted(stage):
    """Containers end and are started anew, some while their API server is away."""
    run = Run(stage, "restarted")
    run.all_flow()
    run.reader.restarts = True
    run.each("POST", "/stop?pod=*")
    before = {(c.encode(), p.encode()): s["lines"] for c, node in run.nodes.items() for p, s in node.pods().items()}
    command = stage.clusters["near"].kill_server()
    run.each("POST", "/restart?pod=*")
    stage.clusters["near"].start_server(command)

    def anew():
        return all(run.reader.runs[key] and run.reader.at[key] > 20 for key in before)
    wait_for("lines of all the new containers", anew)
    run.finish()
    wrong = {key: (run.reader.runs[key], n) for key, n in before.items() if run.reader.runs[key] != [n]}
    if wrong:
        raise Failed(f"ends of the containers before: {list(wrong.items())[:3]}")
    run.account()


def last_five(stage):
    """Of each container the last five lines that are there, then every one that comes."""
    run = Run(stage, "last-five", "--tail=5", before=lambda node: node.control("POST", "/stop?pod=*"))
    stopped = {(c.encode(), p.encode()): s["lines"] for c, node in run.nodes.items() for p, s in node.pods().items()}
    run.reader.restarts = True
    wait_for("the last lines of all", lambda: all(run.reader.at.get(key) == n + 1 for key, n in stopped.items()))
    wrong = {key: run.reader.first[key] for key, n in stopped.items() if run.reader.first[key] != n - 4}
    if wrong:
        raise Failed(f"begins with: {list(wrong.items())[:3]}, of {stopped[next(iter(wrong))]}")
    run.each("POST", "/restart?pod=*")
    wait_for("lines of all the new containers", lambda: all(run.reader.runs[key] and run.reader.at[key] > 20 for key in stopped))
    run.finish()
    run.account(first=None)


def unwell(stage):
    """A dead, a hanging and an unauthorised cluster among them: the healthy one is not held up, the others are named, and come back."""
    node = {c: Node(stage.clusters[c], "unwell", "--pods", "5", "--rate", "20") for c in CONTEXTS}
    wait_for("lines of all", lambda: all(s["lines"] > 20 for n in node.values() for s in n.pods().values()))
    token = os.path.join(os.path.dirname(stage.kubeconfig), "token")
    with open(stage.kubeconfig) as file:
        config = json.load(file)
    config["users"].append({"name": "refused", "user": {"tokenFile": token}})
    config["contexts"].append({"name": "unauthorised", "context": {"cluster": "near", "user": "refused"}})
    path = stage.kubeconfig + "-unwell"
    with open(path, "w") as file:
        json.dump(config, file)
    with open(token, "w") as file:
        file.write("expired")
    command = stage.clusters["middle"].kill_server()
    hanging = stage.clusters["far"].children[-1]
    hanging.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    reader = Reader(path, "-n", "unwell", "--only-log-lines", ".", contexts=[*CONTEXTS, "unauthorised"])
    try:
        wait_for("a first line", lambda: reader.lines, 20)
        print(f"unwell: first line after {reader.began - begin:.3f} s beside a dead, a hanging and an unauthorised cluster", flush=True)
        for name, word in (("middle", "refused"), ("unauthorised", "nauthorized"), ("far", "")):
            wait_for(lambda name=name: f"a word about {name}: {reader.talk}",
                     lambda name=name, word=word: any(name in line and word in line for line in reader.talk), 60)
        for line in reader.talk:
            print(f"  {line}")
        if {c for c, _ in reader.at} != {b"near"}:
            raise Failed(f"lines of {set(c for c, _ in reader.at)}")
        stage.clusters["middle"].start_server(command)
        hanging.send_signal(signal.SIGCONT)
        with open(token, "w") as file:
            file.write("secret-token")
        wait_for(lambda: f"lines of all, not only {sorted({c for c, _ in reader.at})}", lambda: len({c for c, _ in reader.at}) == 4)
    finally:
        hanging.send_signal(signal.SIGCONT)
        reader.end()
        for one in node.values():
            one.close()
    print(f"  all came back: {reader.lines} lines, {len(reader.repeated)} repeated, {len(reader.holes)} gaps")
    if reader.repeated or reader.holes:
        raise Failed(f"repeated {reader.repeated[:3]}, missing {dict(list(reader.holes.items())[:3])}")


CASES = [unwell, plain, default_window, killed_1s, killed_5s, killed_30s, killed_twice, rotated_in_the_gap, ended_again_and_again, cut_again_and_again,
         stalled, short_lived, restarted, last_five]
LONG = {killed_30s}


def main(cases=tuple(CASES), long=frozenset(LONG)):
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--stern", action="store_true", help="read with stern, and tell what it loses")
    parser.add_argument("--rate", type=int)
    parser.add_argument("--sources", type=int)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    options.rate = options.rate or (300 if options.long else 40)
    options.sources = options.sources or (50 if options.long else 20)
    if options.stern and not part("stern"):
        parser.error("stern was not built: dev/parts/build.sh stern")
    if not part("etcd") or not part("kube-apiserver") or not part("kubectl"):
        print("the real parts were not built")
        sys.exit(77)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(options, folder)
        try:
            for case in cases:
                if options.cases and case.__name__ not in options.cases or not options.cases and case in long and not options.long:
                    continue
                begin = time.monotonic()
                try:
                    case(stage)
                except Failed as e:
                    failed += 1
                    print(f"FAILED {case.__name__}: {e}", flush=True)
                print(f"  {time.monotonic() - begin:.0f} s", flush=True)
        finally:
            stage.close()
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
