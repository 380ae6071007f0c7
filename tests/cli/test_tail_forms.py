"""Forms of `wasmctl tail`: records of several lines, structured logs, a file for each container, the configuration file, the prompt."""
import json
import os
import pty
import select
import subprocess
import time
import unittest

from harness import WASMCTL
from test_tail import Instance, Pod, TailTest

TRACE = """started
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
ValueError: bad
ended
"""
LOGS = """{"level":"info","msg":"served","http":{"status":200,"path":"/"},"user":"u"}
level=warn msg="slow"
plain
"""


class Forms(unittest.TestCase):
    def setUp(self):
        import tempfile
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def tail(self, *args, text="", env=None):
        env = {**os.environ, "HOME": self.dir.name, "XDG_CONFIG_HOME": self.dir.name, "LC_ALL": "C.UTF-8", **(env or {})}
        return subprocess.run([WASMCTL, "tail", "--stdin", *args], input=text.encode(), capture_output=True, env=env, timeout=20)

    def lines(self, *args, text):
        done = self.tail(*args, text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line.removeprefix("stdin ") for line in done.stdout.decode().splitlines()]

    def test_records_stay_whole(self):
        whole = TRACE.splitlines()
        self.assertEqual(self.lines("--multiline", text=TRACE), whole)
        self.assertEqual(self.lines("--multiline", "-i", "ValueError", text=TRACE), whole[0:5])
        self.assertEqual(self.lines("-i", "ValueError", text=TRACE), ["ValueError: bad"])
        self.assertEqual(self.lines("--multiline", "-e", "ValueError", text=TRACE), ["ended"])
        self.assertEqual(self.lines("--multiline=^(started|Trace|ended)", "-i", "bad", text=TRACE), whole[1:5])
        done = self.tail("--multiline", "-o", "json", text=TRACE)
        self.assertEqual([json.loads(line)["message"] for line in done.stdout.splitlines()], ["\n".join(whole[:5]), "ended"])

    def test_structured_logs(self):
        self.assertEqual(self.lines("-o", "pretty", text=LOGS),
                         ['info  served http={"status":200,"path":"/"} user=u', 'warn  level=warn msg="slow"', "plain"])
        self.assertEqual(self.lines("--fields", "user,http.status", text=LOGS)[0], "info  served user=u http.status=200")

    def test_a_file_for_each(self):
        folder = os.path.join(self.dir.name, "out")
        for _ in range(2):
            done = self.tail("--out-dir", folder, text=LOGS)
            self.assertEqual((done.returncode, done.stdout), (0, b""))
        with open(os.path.join(folder, "stdin.log"), encoding="utf-8") as file:
            self.assertEqual(file.read(), LOGS * 2)
        os.mkdir(os.path.join(folder, "full"))
        os.symlink("/dev/full", os.path.join(folder, "full", "stdin.log"))
        for where, why in ((os.path.join(folder, "full"), "No space left on device"), (os.path.join(folder, "stdin.log"), "no folder"),
                           (os.path.join(folder, "a", "b"), "cannot be made")):
            done = self.tail("--out-dir", where, text=LOGS)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr.decode())

    def config(self, text, *args, path="wasmctl/tail.yaml", **more):
        path = os.path.join(self.dir.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return self.tail(*args, text=LOGS, **more)

    def test_configuration_file(self):
        self.assertEqual(self.config("include: [plain, slow]\noutput: raw\n").stdout.decode().splitlines(), LOGS.splitlines()[1:])
        self.assertEqual(json.loads(self.config("include: [plain, slow]\noutput: raw\n", "-o", "json", "-i", "plain").stdout)["message"], "plain")
        other = os.path.join(self.dir.name, "other")
        self.assertEqual(self.config("output: raw\ninclude: plain", "--config", other, path="other").stdout, b"plain\n")
        self.assertEqual(self.config("output: raw\ninclude: slow", path="other", env={"WASMCTL_TAIL_CONFIG": other}).stdout, b'level=warn msg="slow"\n')

    def test_configuration_file_that_is_wrong(self):
        for text, why in (("output: raw\nnonsense: 1\n", ":2: nonsense: tail has no such option"), ("tail: many\n", ":1: tail: "),
                          ("tail: [1, 2]", ":1: tail: it takes one value"), ("include: {a: 1}", "a single value is wanted"),
                          ("- a\n", "one mapping of options"), ("a: [\n", "tail.yaml:"), ("config: x", "not in a file")):
            done = self.config(text)
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(why, done.stderr.decode())
        done = self.tail("--config", os.path.join(self.dir.name, "missing"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing", done.stderr.decode())

    def test_what_does_not_go_together(self):
        for args, why in ((["--fields", "a", "-o", "json"], "--fields goes with"), (["--out-dir", "x", "--tail-total=3"], "--tail-total"),
                          (["--prompt"], "--prompt")):
            done = self.tail(*args)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr.decode())


class Chosen(TailTest):
    def world(self):
        server = self.serve("one", [Pod(name, Instance(name, 3, 100, past=3)) for name in ("web-1", "web-2", "db-1")])
        self.contexts()
        return server

    def test_condition(self):
        pods = [Pod(name, Instance(name, 3, 100, past=3)) for name in ("web-1", "web-2")]
        for pod, status in zip(pods, ("True", "False")):
            old = pod.object
            pod.object = lambda old=old, status=status: {**old(), "status": {**old()["status"], "conditions": [{"type": "Ready", "status": status}]}}
        self.serve("one", pods)
        self.contexts()
        for want, name in (("ready=false", "web-2"), ("Ready", "web-1")):
            got = self.run_cli("tail", ".", "--no-follow", f"--condition={want}")
            self.assertEqual({line.split()[0] for line in got.out.splitlines()}, {name}, got.err)

    def ask(self, answers, *args):
        """Types the answers, each at the question; what came on the terminal and on stdout, and the status."""
        master, slave = pty.openpty()
        process = subprocess.Popen([WASMCTL, "tail", *args, "--prompt", "--no-follow", "--only-log-lines"], stdin=slave, stderr=slave,
                                   stdout=subprocess.PIPE, env={**os.environ, **self.env})
        os.close(slave)
        seen, end = "", time.monotonic() + 20
        questions = 0
        while time.monotonic() < end:
            ready, _, _ = select.select([master], [], [], 0.2)
            if ready:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                seen += piece.decode()
                while seen.count("q for none: ") > questions and answers[questions:]:
                    os.write(master, answers[questions].encode())
                    questions += 1
            elif process.poll() is not None:
                break
        out = process.stdout.read().decode()
        process.stdout.close()
        os.close(master)
        return seen, {line.split()[0] for line in out.splitlines()}, process.wait(10)

    def test_prompt(self):
        self.world()
        seen, pods, status = self.ask(["1 3\n"], ".")
        self.assertEqual((pods, status), ({"web-1", "db-1"}, 0), seen)
        self.assertIn("2  web-2", seen)
        seen, pods, status = self.ask(["nothing\n", "7\n", "web\n", "\n"], ".")
        self.assertEqual((pods, status), ({"web-1", "web-2"}, 0), seen)
        self.assertIn('No name has "nothing"', seen)
        seen, pods, status = self.ask(["1-2\n"], "web")
        self.assertEqual((pods, status), ({"web-1", "web-2"}, 0), seen)
        seen, pods, status = self.ask(["q\n"], ".")
        self.assertEqual((pods, status), (set(), 1), seen)
        self.assertIn("no Pods were chosen", seen)


if __name__ == "__main__":
    unittest.main()
