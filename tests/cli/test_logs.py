"""`wasmctl logs` against a server whose logs are numbered lines (logserver.py) and against scripted answers: kubectl's meaning, and streams
that break."""
import random
import re
import signal
import unittest

from harness import RUN_TIMEOUT, API, ACTORS, Answer, CliTest, actor, meta, listing, not_found, status
from logserver import Instance, LogServer, Pod

PODS = "/api/v1/namespaces/default/pods"
T0 = "2026-01-02T03:04:05."


def pod(name, *containers, annotations=None, namespace="default", phase="Running", state=None):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, namespace, annotations=annotations or {}),
            "spec": {"containers": [{"name": c} for c in containers]},
            "status": {"phase": phase, "containerStatuses": [
                {"name": c, "containerID": f"run://{c}", "state": state or {"running": {}}} for c in containers]}}


def lines(*texts, first=0):
    return "".join(f"{T0}{i + first:09d}Z {text}\n" for i, text in enumerate(texts))


def plain(text, code=200):
    return Answer(text, code, content_type="text/plain")


class OneLog(CliTest):
    """Scripted answers."""

    def one(self, text=None, *containers, **more):
        self.api.on("GET", PODS + "/p", Answer(pod("p", *(containers or ("c",)), **more)))
        self.api.on("GET", PODS + "/p/log", plain(lines("one", "two") if text is None else text))

    def asked(self):
        return [r.query for r in self.requests() if r.path.endswith("/log")]

    def test_prints_the_log(self):
        self.one()
        self.expect("logs p", "one\ntwo\n")
        self.expect("logs p c", "one\ntwo\n")
        self.expect("logs pod/p -c c", "one\ntwo\n")
        self.assertEqual(["c"] * 3, [q["container"] for q in self.asked()])

    def test_times_and_sources_in_front(self):
        self.one()
        self.expect("logs p --timestamps", lines("one", "two"))
        self.expect("logs p --prefix", "[pod/p/c] one\n[pod/p/c] two\n")

    def test_options_reach_the_server(self):
        self.one()
        self.expect("logs p --tail=7 -p --since-time=2026-01-02T03:04:05Z", "one\ntwo\n")
        query = self.asked()[0]
        self.assertEqual(("7", "true", "2026-01-02T03:04:05Z"), (query["tailLines"], query["previous"], query["sinceTime"]))
        self.assertNotIn("follow", query)

    def test_bytes_are_limited_by_what_is_printed(self):
        self.one()
        self.expect("logs p --limit-bytes=5", "one\nt")
        self.expect("logs p --limit-bytes=5 --prefix", "[pod/p/c] one\n[pod/p/c] t")
        self.expect("logs p --limit-bytes=100", "one\ntwo\n")

    def test_which_container(self):
        self.one(None, "a", "b")
        self.expect("logs p", "one\ntwo\n", 'Defaulted container "a" out of: a, b\n')
        self.one(None, "a", "b", annotations={"kubectl.kubernetes.io/default-container": "b"})
        self.expect("logs p", "one\ntwo\n")
        self.assertEqual(["a", "b"], [q["container"] for q in self.asked()])
        self.expect("logs p -c x", err="error: container x is not valid for pod p\n", code=1)
        self.expect("logs p --all-containers --prefix",
                    "[pod/p/a] one\n[pod/p/a] two\n[pod/p/b] one\n[pod/p/b] two\n")

    def test_a_log_that_cannot_be_read(self):
        self.one(None, "a", "b")
        self.api.on("GET", PODS + "/p/log", lambda r: plain(lines("fine")) if r.query["container"] == "b"
                    else status(400, "BadRequest", 'container "a" in pod "p" is waiting to start: ContainerCreating'))
        self.expect("logs p --all-containers", code=1,
                    err='Error from server (BadRequest): container "a" in pod "p" is waiting to start: ContainerCreating\n')
        self.expect("logs p --all-containers --ignore-errors", "fine\n",
                    'error: p/a: container "a" in pod "p" is waiting to start: ContainerCreating\n')

    def test_no_such_pod(self):
        self.api.on("GET", PODS + "/p", not_found("pods", "p"))
        self.expect("logs p", err='Error from server (NotFound): pods "p" not found\n', code=1)

    def test_selector(self):
        self.api.on("GET", PODS, Answer(listing(pod("p", "c"), pod("q", "c"), kind="PodList")))
        for name in "pq":
            self.api.on("GET", f"{PODS}/{name}/log", plain(lines("of " + name)))
        self.expect("logs -l app=x", "of p\nof q\n")
        self.assertEqual({"10"}, {q["tailLines"] for q in self.asked()})
        self.expect("logs -l app=x --tail=3", "of p\nof q\n")
        self.assertEqual("3", self.asked()[-1]["tailLines"])
        got = self.run_cli("logs", "-f", "-l", "app=x", "--max-log-requests=1")
        self.assertEqual(1, got.code)
        self.assertIn("attempting to follow 2 log streams, but maximum allowed concurrency is 1", got.err)
        self.api.on("GET", PODS, Answer(listing(kind="PodList")))
        self.expect("logs -l app=x", err="No resources found in default namespace.\n")

    def test_pods_of_a_deployment(self):
        self.api.on("GET", "/apis/apps/v1/namespaces/default/deployments/web", Answer(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web"), "spec": {"selector": {"matchLabels": {"app": "web"}}}}))
        self.api.on("GET", PODS, Answer(listing(pod("p", "c", phase="Pending"), pod("q", "c"), kind="PodList")))
        for name in "pq":
            self.api.on("GET", f"{PODS}/{name}/log", plain(lines("of " + name)))
        self.expect("logs deploy/web", "of q\n", "Found 2 pods, using pod/q\n")
        self.assertEqual("app=web", [r.query["labelSelector"] for r in self.requests() if r.path == PODS][0])
        self.expect("logs deploy/web --all-pods", "[pod/p/c] of p\n[pod/q/c] of q\n")

    def test_what_goes_with_what(self):
        for line, words in (("logs", "expected 'logs"), ("logs p -l a=b", "only a selector"), ("logs p c -c d", "only one of -c"),
                            ("logs p --all-containers -c d", "should not be specified with container name"),
                            ("logs p --since=1m --since-time=2026-01-02T03:04:05Z", "exclude each other"),
                            ("logs p --since=-1m", "above zero"), ("logs a/b/c", "no KIND/NAME")):
            got = self.run_cli(*line.split())
            self.assertEqual((1, ""), (got.code, got.out), line)
            self.assertIn(words, got.err, line)

    def host(self, hostname):
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello", status_={"placements": [{"host": "nabc", "replicas": 1}]})))
        self.api.on("GET", API + "/latticehosts/nabc", Answer(
            {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "LatticeHost", "metadata": meta("nabc", None), "status": {"hostname": hostname}}))

    def test_actor_on_hosts_elsewhere(self):
        self.host("vm-7")
        self.api.on("GET", "/api/v1/pods", Answer(listing(kind="PodList")))
        got = self.run_cli("logs", "wasmactor/hello")
        self.assertEqual((1, ""), (got.code, got.out))
        self.assertIn("nabc on vm-7", got.err)
        self.api.on("GET", "/api/v1/pods", status(403, "Forbidden", "not for you"))
        self.assertIn("nabc on vm-7", self.run_cli("logs", "wa/hello").err)

    def test_actor_on_a_host_that_is_a_pod(self):
        self.host("host-0")
        self.api.on("GET", "/api/v1/pods", lambda r: Answer(listing(
            *([pod("host-0", "host", namespace="infra")] if r.query["fieldSelector"] == "metadata.name=host-0" else []), kind="PodList")))
        self.api.on("GET", "/api/v1/namespaces/infra/pods/host-0/log", plain(lines("hello says hi")))
        self.expect("logs wasmactor/hello", "hello says hi\n")
        self.expect("logs latticehost/nabc", "hello says hi\n")

    def test_actor_that_runs_nowhere(self):
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello")))
        self.assertIn("runs on no host yet", self.run_cli("logs", "wa/hello").err)

    def test_closed_stdout_ends_it(self):
        def endless():
            for i in range(10 ** 9):
                yield f"{T0}{i % 10 ** 9:09d}Z line {i}\n".encode()
        self.one()
        self.api.on("GET", PODS + "/p/log", lambda r: Answer(chunks=endless(), content_type="text/plain"))
        process = self.start_cli("logs", "-f", "p")
        self.assertEqual("line 0\n", process.stdout.readline())
        process.stdout.close()
        self.assertEqual(141, process.wait(RUN_TIMEOUT))


class Following(CliTest):
    """Numbered lines made by the clock, faults in the streams."""

    NUMBERED = re.compile(r"(\S+) (\d+) (\d+) x*$")

    def serve(self, *pods):
        server = LogServer(pods)
        self.addCleanup(server.close)
        # What the log server does not know: a Pod by its name.
        handler, get = server.RequestHandlerClass, server.RequestHandlerClass.do_GET

        class WithPods(handler):
            def do_GET(self):
                name = self.path.partition("?")[0].rpartition("/")[2]
                if self.path.partition("?")[0].startswith(PODS + "/") and not server.down.is_set() and name in server.pods:
                    self.answer(200, server.pods[name].object())
                else:
                    get(self)
        server.RequestHandlerClass = WithPods
        self.env["KUBECONFIG"] = self.write("logs", self.kubeconfig(server.url))
        return server

    def numbers(self, text):
        return [int(self.NUMBERED.match(line).group(2)) for line in text.splitlines()]

    def test_ends_with_the_container(self):
        self.serve(Pod("p", Instance("p", 120, 200, past=0.2, ends=True)))
        got = self.run_cli("logs", "-f", "p")
        self.assertEqual((0, list(range(120))), (got.code, self.numbers(got.out)), got.err)

    def test_cut_streams_are_read_on(self):
        server = self.serve(Pod("p", Instance("p", 200, 100, past=0.5, ends=True)))
        rand = random.Random(5)
        # A second of the log is 7 KB, which is what has to come again after a cut.
        server.cut_after = lambda: rand.randrange(9000, 15000)
        got = self.run_cli("logs", "-f", "p")
        self.assertEqual((0, list(range(200))), (got.code, self.numbers(got.out)), got.err)
        self.assertGreater(sum(path.endswith("/log") for path, _ in server.requests), 2)

    def test_clean_end_while_the_container_runs(self):
        server = self.serve(Pod("p", Instance("p", 300, 200, past=0.1, ends=True)))
        server.clean_end_after = 0.3
        got = self.run_cli("logs", "-f", "p")
        self.assertEqual((0, list(range(300))), (got.code, self.numbers(got.out)), got.err)
        self.assertGreater(sum(path.endswith("/log") for path, _ in server.requests), 2)

    def test_tail_and_then_on(self):
        self.serve(Pod("p", Instance("p", 100, 200, past=0.25, ends=True)))
        got = self.run_cli("logs", "-f", "p", "--tail=5")
        seen = self.numbers(got.out)
        self.assertEqual(0, got.code, got.err)
        self.assertEqual(list(range(seen[0], 100)), seen)
        self.assertGreater(seen[0], 20)

    def test_several_at_once(self):
        self.serve(*(Pod(n, Instance(n, 60, 200, past=0.1, ends=True), labels={"app": "x"}) for n in ("p", "q", "r")))
        got = self.run_cli("logs", "-f", "-l", "app=x", "--tail=-1", "--prefix")
        self.assertEqual(0, got.code, got.err)
        for name in "pqr":
            own = [line[len(f"[pod/{name}/c] "):] for line in got.out.splitlines() if line.startswith(f"[pod/{name}/c] ")]
            self.assertEqual(list(range(60)), self.numbers("\n".join(own)), name)

    def test_interrupted(self):
        self.serve(Pod("p", Instance("p", 10 ** 9, 200, past=0.1)))
        process = self.start_cli("logs", "-f", "p")
        self.assertRegex(process.stdout.readline(), self.NUMBERED)
        process.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, process.wait(RUN_TIMEOUT))


if __name__ == "__main__":
    unittest.main()
