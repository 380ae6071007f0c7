"""`wasmctl tail` against servers whose logs are numbered lines: none lost, none twice, all in order, whatever becomes of the streams."""
import collections
import json
import random
import re
import signal
import threading
import time
import unittest

from harness import CliTest
from logserver import SECOND, Instance, LogServer, Pod, stamp

PATIENCE = 40


class TailTest(CliTest):
    def setUp(self):
        super().setUp()
        self.servers = {}

    def serve(self, name, pods, **kw):
        server = LogServer(pods, **kw)
        self.servers[name] = server
        self.addCleanup(server.close)
        self.contexts()
        return server

    def contexts(self, extra=None):
        urls = {name: s.url for name, s in self.servers.items()} | (extra or {})
        self.env["KUBECONFIG"] = self.write("many", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": next(iter(urls)),
            "clusters": [{"name": n, "cluster": {"server": u}} for n, u in urls.items()],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in urls]}))

    def tail(self, *args):
        """Starts it; the lines it prints are collected by a thread."""
        process = self.start_cli("tail", *args)
        process.lines, process.times = [], []
        process.talk = []

        def read():
            for line in process.stdout:
                process.lines.append(line.rstrip("\n"))
                process.times.append(time.monotonic())

        def listen():
            for line in process.stderr:
                process.talk.append(line.rstrip("\n"))
        process.readers = [threading.Thread(target=read, daemon=True), threading.Thread(target=listen, daemon=True)]
        for reader in process.readers:
            reader.start()
        return process

    def wait_for(self, what, condition, patience=PATIENCE):
        end = time.monotonic() + patience
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for: {what() if callable(what) else what}")
            time.sleep(0.01)

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
        process.wait(20)
        for reader in process.readers:
            reader.join(10)
        return process

    NUMBERED = re.compile(r"(?:(\S+) )?(\S+) c (\(late\) )?(\S+) (\d+) (\d+) x*$")

    def check(self, process, runs, contexts=False, first=0, late=0):
        """Every line of each run once and in order; all of them in order of time. runs: (context, instance)."""
        at, last, disorder, gaps = collections.Counter(), 0, 0, []
        for line in process.lines:
            found = self.NUMBERED.match(line)
            if not found:
                gaps.append(line)
                continue
            context, pod, is_late, name, k, ns = found.groups()
            key = (context, name)
            want = at[key] + (first if key not in at else 0)
            self.assertEqual(int(k), want, f"{key}: {line}")
            at[key] = int(k) + 1
            disorder += int(ns) < last
            last = max(last, int(ns))
        for context, run in runs:
            self.assertEqual(at[(context if contexts else None, run.name)], run.count, f"lines of {context} {run.name}")
        self.assertLessEqual(disorder, late, "lines out of order")
        return gaps

    def complete(self, process, n):
        self.wait_for(lambda: f"{n} lines, {len(process.lines)} came", lambda: len(process.lines) >= n)


class Ordered(TailTest):
    def test_three_clusters_in_order(self):
        runs = []
        for name, delay in (("near", 0.005), ("far", 0.08), ("farther", 0.2)):
            instances = [Instance(f"{name}-{i}", 250, 100, past=0.7) for i in range(8)]
            self.serve(name, [Pod(f"p-{r.name}", r) for r in instances], delay=delay)
            runs += [(name, r) for r in instances]
        process = self.tail("--contexts", "near,far,farther", "--only-log-lines", "--order-window", "3s")
        self.complete(process, 250 * 24)
        self.interrupt(process)
        self.assertEqual(self.check(process, runs, contexts=True), [])
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertTrue(any(re.match(r"6,000 lines \(", t) for t in process.talk), process.talk)

    def test_history_of_many(self):
        runs = [Instance(f"s{i}", 400 + 37 * i, 50, past=3600, ends=True) for i in range(12)]
        self.serve("one", [Pod(f"p-{r.name}", r) for r in runs])
        process = self.tail("--no-follow")
        self.assertEqual(process.wait(PATIENCE), 0)
        for reader in process.readers:
            reader.join(10)
        self.assertEqual(self.check(process, [(None, r) for r in runs]), [])


class Faults(TailTest):
    def follow(self, runs, during, **server):
        s = self.serve("one", [Pod(f"p-{r.name}", r) for r in runs], **server)
        during.setdefault("before", lambda server: None)(s)
        process = self.tail("--only-log-lines")
        during.get("then", lambda server, process: None)(s, process)
        self.complete(process, sum(r.count - sum(b - a for a, b in r.rotated) for r in runs))
        self.interrupt(process)
        return process

    def test_cut_anywhere(self):
        random.seed(1)
        runs = [Instance(f"s{i}", 400, 150, past=0.3) for i in range(6)]

        def cut(server):
            # What was seen of a second comes again, so a stream must live for more than that now and then.
            server.cut_after = lambda: random.randrange(1, 60000)
        process = self.follow(runs, {"before": cut})
        self.assertEqual(self.check(process, [(None, r) for r in runs], late=10 ** 6), [])

    def test_clean_ends(self):
        runs = [Instance(f"s{i}", 300, 150) for i in range(4)]

        def end(server):
            server.clean_end_after = 0.3
        process = self.follow(runs, {"before": end})
        self.assertEqual(self.check(process, [(None, r) for r in runs], late=10 ** 6), [])

    def test_server_goes_and_comes_back_twice(self):
        runs = [Instance(f"s{i}", 500, 150) for i in range(5)]

        def down(server, process):
            for noticed in (lambda: any("are interrupted" in t for t in process.talk), server.refused.is_set):
                self.wait_for("lines", lambda n=len(process.lines): len(process.lines) > n + 50)
                server.refused.clear()
                server.down.set()
                self.wait_for("the fault to be noticed", noticed)
                server.down.clear()
            self.wait_for("the streams to be back", lambda: any("are back" in t for t in process.talk))
        process = self.follow(runs, {"then": down})
        self.assertEqual(self.check(process, [(None, r) for r in runs], late=10 ** 6), [])
        self.assertTrue(any("are interrupted" in t for t in process.talk), process.talk)
        self.assertTrue(any("are back" in t for t in process.talk), process.talk)

    def test_rotated_in_the_gap(self):
        run = Instance("s", 300, 100)

        def rotate(server, process):
            self.wait_for("lines", lambda: len(process.lines) > 20)
            server.down.set()
            seen = len(process.lines)
            run.rotated.append((0, seen + 40))
            self.wait_for("lines to be written meanwhile", lambda: run.written(time.time_ns()) > seen + 50)
            server.down.clear()
        s = self.serve("one", [Pod("p", run)])
        process = self.tail("--only-log-lines")
        rotate(s, process)
        self.wait_for("the last line", lambda: any(f" {run.count - 1} " in line for line in process.lines[-3:]))
        self.interrupt(process)
        gaps = [line for line in process.lines if "missing" in line]
        self.assertEqual(len(gaps), 1, gaps)
        self.assertRegex(gaps[0], r"^p c -- the log was rotated while it could not be read: lines of up to \d\.\d{3} s are missing --$")
        numbers = [int(m.group(5)) for m in map(self.NUMBERED.match, process.lines) if m]
        self.assertEqual(numbers, sorted(set(numbers)), "a line twice or out of order")
        self.assertEqual([n for n in numbers if not run.gone(n)], [n for n in range(run.count) if not run.gone(n)])

    def test_restarts(self):
        first = Instance("s-1", 60, 100, ends=True)
        pod = Pod("p", first)
        server = self.serve("one", [pod])
        process = self.tail("--only-log-lines")
        self.complete(process, 60)
        second = Instance("s-2", 80, 100)
        pod.instances.append(second)
        server.change(pod)
        self.complete(process, 140)
        late = Pod("q", Instance("t", 50, 100))
        server.change(late, "ADDED")
        self.complete(process, 190)
        self.interrupt(process)
        self.assertEqual(self.check(process, [(None, first), (None, second), (None, late.instances[0])], late=10 ** 6), [])

    def test_last_five(self):
        run = Instance("s", 2000, 100, past=15)
        server = self.serve("one", [Pod("p", run)])
        random.seed(2)
        server.cut_after = lambda: random.randrange(200, 40000)
        process = self.tail("--only-log-lines", "--tail=5")
        self.wait_for("the last line", lambda: process.lines and f" {run.count - 1} " in process.lines[-1])
        self.interrupt(process)
        numbers = [int(self.NUMBERED.match(line).group(5)) for line in process.lines]
        self.assertEqual(numbers, list(range(numbers[0], run.count)))
        self.assertGreater(numbers[0], 1400)


class Trouble(TailTest):
    def test_one_dead_one_hanging_one_unauthorised(self):
        import socket
        hanging = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hanging.close)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
        run = Instance("s", 40, 100, past=5)
        self.serve("good", [Pod("p", run)])
        refuser = self.serve("refuser", [Pod("r", Instance("r", 10, 100, past=5))])
        refuser.status = (401, "Unauthorized")
        self.contexts({"dead": dead, "hanging": f"http://127.0.0.1:{hanging.getsockname()[1]}"})
        began = time.monotonic()
        process = self.tail("--contexts", "good,refuser,dead,hanging", "--only-log-lines")
        self.complete(process, 40)
        print(f"first line beside a dead, a hanging and an unauthorised cluster: {process.times[0] - began:.3f} s")
        self.assertLess(process.times[0] - began, 2)
        self.wait_for(lambda: process.talk, lambda: any("dead" in t and "refused" in t for t in process.talk)
                      and any("refuser" in t for t in process.talk))
        refuser.status = None
        self.complete(process, 50)
        self.interrupt(process)

    def test_no_follow_tells_what_fails(self):
        server = self.serve("one", [])
        server.status = (403, "pods is forbidden: User \"u\" cannot list resource \"pods\"")
        got = self.run_cli("tail", "--no-follow")
        self.assertEqual(got.code, 1)
        self.assertIn("cannot list resource", got.err)

    def test_wrong_options(self):
        self.serve("one", [])
        for args, text in ((("-i", "a("), "--include \"a(\" is no regular expression: missing closing parenthesis"),
                           (("--tail=x",), "invalid argument"), (("--since=never",), "--since"),
                           (("--no-follow", "--tail=0"), "would print nothing"),
                           (("nope/x",), "the server doesn't have a resource type"),
                           (("pod/x", "-A"), "is in one namespace")):
            got = self.run_cli("tail", *args)
            self.assertEqual(got.code, 1, args)
            self.assertIn(text, got.err)

    def test_closed_pipe_ends_it(self):
        self.serve("one", [Pod("p", Instance("s", 100000, 2000, past=10))])
        process = self.start_cli("tail", "--only-log-lines")
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(20), 141)


class Shown(TailTest):
    def test_formats_and_filters(self):
        run = Instance("s", 12, 1000, past=60, ends=True)
        self.serve("one", [Pod("web-1", run, labels={"app": "web"}), Pod("db-1", Instance("d", 3, 1000, past=60, ends=True))])

        def lines(*args):
            got = self.run_cli("tail", "--no-follow", "--only-log-lines", *args)
            self.assertEqual((got.code, got.err), (0, ""), args)
            return got.out.splitlines()
        self.assertEqual(len(lines()), 15)
        self.assertEqual(len(lines("^web")), 12)
        self.assertEqual(len(lines("--exclude-pod", "web")), 3)
        self.assertEqual(lines("^db", "-o", "raw"), [f"d {k} {self.servers['one'].pods['db-1'].instances[0].ns(k)} {'x' * k}" for k in range(3)])
        self.assertEqual(len(lines("web", "-i", "^s 1")), 3)
        self.assertEqual(len(lines("web", "-i", "^s 1", "-e", "^s 11")), 2)
        self.assertEqual(len(lines("web", "--tail", "4")), 4)
        self.assertEqual(lines("pod/web-1", "--tail", "1", "-t", "--timezone=UTC")[0].split()[2], stamp(run.ns(11)))
        first = json.loads(lines("web", "-o", "json")[0])
        self.assertEqual((first["podName"], first["labels"], first["nodeName"], first["context"]), ("web-1", {"app": "web"}, "n1", "one"))

    def test_stdin(self):
        got = self.run_cli("tail", "--stdin", "-e", "two", stdin="one\ntwo\nthree")
        self.assertEqual((got.code, got.out, got.err), (0, "one\nthree\n", ""))


if __name__ == "__main__":
    unittest.main()
