"""How `wasmctl tail` ends when it is told to, what it says at the end, and how many lines it begins with."""
import re
import time
import unittest

from logserver import SECOND, Instance, Pod, stamp
from test_tail import TailTest


def local(ns):
    """A local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // SECOND))


class Until(TailTest):
    def test_match_is_the_last_line(self):
        self.serve("one", [Pod("p", Instance("s", 1000, 50))])
        process = self.tail("--only-log-lines", "--until-match", r" 17 \d+ ")
        self.assertEqual(process.wait(20), 0)
        for reader in process.readers:
            reader.join(10)
        self.check(process, [])
        self.assertEqual(len(process.lines), 18)
        self.assertIn(" 17 ", process.lines[-1])

    def test_match_that_does_not_come(self):
        self.serve("one", [Pod("p", Instance("s", 20, 50))])
        got = self.run_cli("tail", "--only-log-lines", "--until-match", "never", "--until", "1s")
        self.assertEqual(got.code, 1)
        self.assertEqual(len(got.out.splitlines()), 20)
        self.assertIn('no line matched --until-match "never"', got.err)

    def test_match_in_one_of_several_clusters(self):
        for name in ("a", "b"):
            self.serve(name, [Pod(f"p-{name}", Instance(f"s-{name}", 1000, 50))])
        got = self.run_cli("tail", "--only-log-lines", "--contexts", "a,b", "--until-match", r"s-b 9 ")
        self.assertEqual(got.code, 0, got.err)
        self.assertIn("s-b 9 ", got.out.splitlines()[-1])

    def test_match_filters_come_first(self):
        self.serve("one", [Pod("p", Instance("s", 200, 100))])
        got = self.run_cli("tail", "--only-log-lines", "-e", " 5 ", "--until-match", r" (5|20) ")
        self.assertIn(" 20 ", got.out.splitlines()[-1])

    def test_wrong_match(self):
        self.serve("one", [])
        got = self.run_cli("tail", "--until-match", "a(")
        self.assertEqual(got.code, 1)
        self.assertIn("--until-match", got.err)

    def test_complete(self):
        runs = [Instance("s", 30, 50, ends=True), Instance("t", 60, 50, ends=True)]
        pods = [Pod("p", runs[0]), Pod("q", runs[1])]
        server = self.serve("one", pods)
        process = self.tail("--only-log-lines", "--until-complete")
        for pod, run in zip(pods, runs):
            self.wait_for("its last line", lambda: run.written(time.time_ns()) >= run.count)
            self.assertIsNone(process.poll())
            server.change(pod)
        self.assertEqual(process.wait(20), 0)
        for reader in process.readers:
            reader.join(10)
        self.check(process, [(None, run) for run in runs])

    def test_complete_by_deletion(self):
        run = Instance("s", 30, 100, ends=True)
        pod = Pod("p", run)
        server = self.serve("one", [pod])
        process = self.tail("--only-log-lines", "--until-complete")
        self.complete(process, 30)
        server.change(pod, "DELETED")
        self.assertEqual(process.wait(20), 0)

    def test_time_that_is_past(self):
        run = Instance("s", 1000, 10, past=60)
        self.serve("one", [Pod("p", run)])
        until = run.ns(200) // SECOND * SECOND
        wanted = sum(run.ns(k) < until for k in range(1000))
        for text in (stamp(until), local(until)):
            got = self.run_cli("tail", "--only-log-lines", "--until", text)
            self.assertEqual(got.code, 0, got.err)
            self.assertEqual(len(got.out.splitlines()), wanted, text)
        got = self.run_cli("tail", "--only-log-lines", "--since", local(until - 5 * SECOND), "--until", stamp(until))
        self.assertEqual(len(got.out.splitlines()), sum(until - 5 * SECOND <= run.ns(k) < until for k in range(1000)))

    def test_wrong_times(self):
        self.serve("one", [])
        for option in ("--until", "--since"):
            for text in ("never", "25:00", "2026-13-01", "-5m", "0s"):
                got = self.run_cli("tail", f"{option}={text}")
                self.assertEqual(got.code, 1, text)
                self.assertIn(f'{option}: "{text}"', got.err)


class Total(TailTest):
    def test_last_of_all_and_what_follows(self):
        runs = [Instance(f"s{i}", 200, 20, past=8 + i % 3) for i in range(6)]
        self.serve("a", [Pod(f"p{i}", runs[i]) for i in range(3)])
        self.serve("b", [Pod(f"p{i}", runs[i]) for i in range(3, 6)], delay=0.08)
        begin = time.time_ns()
        process = self.tail("--contexts", "a,b", "--only-log-lines", "--tail-total=50")
        self.wait_for("lines of after the start", lambda: len(process.lines) > 150)
        self.interrupt(process)
        found = [re.search(r"(s\d) \d+ (\d{19})", line) for line in process.lines]
        last = {}
        for f in found:
            last[f[1]] = max(last.get(f[1], 0), int(f[2]))
        # It was ended while lines were on their way: what comes after the last line of the slowest source does not count.
        at = sorted(int(f[2]) for f in found if int(f[2]) <= min(last.values()))
        lines = sorted(run.ns(k) for run in runs for k in range(run.count))
        history = [ns for ns in at if ns < begin]
        # The server answers with what there is when it is asked, a moment after the beginning.
        self.assertLessEqual(len(history), 50)
        first = lines.index(at[0])
        self.assertEqual(at, lines[first:first + len(at)], "not the last ones, or not all that follow")
        self.assertGreater(len(history), 0)

    def test_without_follow(self):
        runs = [Instance(f"s{i}", 100, 50, past=10 + i, ends=True) for i in range(3)]
        self.serve("one", [Pod(f"p{i}", run) for i, run in enumerate(runs)])
        got = self.run_cli("tail", "--no-follow", "--only-log-lines", "--tail-total=10")
        shown = [int(re.search(r" (\d{19})", line)[1]) for line in got.out.splitlines()]
        self.assertEqual(shown, sorted(run.ns(k) for run in runs for k in range(100))[-10:])

    def test_beside_a_dead_cluster(self):
        import socket
        with socket.create_server(("127.0.0.1", 0)) as closed:
            dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
        self.serve("good", [Pod("p", Instance("s", 100, 50, past=10, ends=True))])
        self.contexts({"dead": dead})
        process = self.tail("--contexts", "good,dead", "--only-log-lines", "--tail-total=7")
        self.complete(process, 7)
        self.interrupt(process)
        self.assertEqual(len(process.lines), 7)


class Told(TailTest):
    def test_summary_by_cluster(self):
        self.serve("a", [Pod("p", Instance("s", 20, 100)), Pod("quiet", Instance("q", 0, 1))])
        self.serve("b", [Pod("p", Instance("t", 30, 100))])
        process = self.tail("--contexts", "a,b", "--only-log-lines", "-e", " 7 ")
        self.complete(process, 48)
        self.interrupt(process)
        talk = [line for line in process.talk if "shown" in line]
        self.assertEqual(len(talk), 3, process.talk)
        self.assertIn("50 lines", talk[0])
        talk[1:] = sorted(talk[1:])
        self.assertRegex(talk[1], r"^  a: 20 lines \(.* bytes\), 19 shown, 2 containers still followed, 1 of them silent$")
        self.assertRegex(talk[2], r"^  b: 30 lines \(.* bytes\), 29 shown, 1 container still followed$")

    def test_skew(self):
        self.serve("same", [Pod("p", Instance("s", 5, 100))])
        self.serve("ahead", []).ahead = 7.5
        self.serve("behind", []).ahead = -90
        process = self.tail("--contexts", "same,ahead,behind", "--show-skew")
        self.wait_for(lambda: f"three clocks: {process.talk}", lambda: sum("clock" in t for t in process.talk) == 3)
        self.interrupt(process)
        clocks = {t.split(":")[0]: t for t in process.talk if "clock" in t}
        self.assertIn("is that of this machine", clocks["same"])
        for name, want, word in (("ahead", 7.5, "ahead"), ("behind", 90, "behind")):
            found = re.search(r"is ([\d.]+) s (\w+) \(give or take ([\d.]+) s\)", clocks[name])
            self.assertEqual(found[2], word)
            self.assertLessEqual(abs(float(found[1]) - want), float(found[3]) + 0.02, clocks[name])
            self.assertLess(float(found[3]), 0.5, clocks[name])


if __name__ == "__main__":
    del TailTest  # only its heirs have tests
    unittest.main()
