"""What `wasmctl tail` can be asked for besides Pods by name: objects that come, change and go, our own kinds as they move from host to
host, Events, lattices that cannot be reached, files."""
import json
import os
import re
import socket
import threading
import time
import unittest
import urllib.parse

from logserver import Handler, Instance, LogServer, Pod, stamp
from test_tail import PATIENCE, TailTest

WASM = "/apis/wasmctl.dev/v1alpha1"


class WorldHandler(Handler):
    """Any object besides: lists, single ones, watches with fieldSelector metadata.name."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(query).items()}
        if self.server.world_serves(path) and not self.server.down.is_set():
            self.server.requests.append((path, query))
            self.world(path, query)
        else:
            if path.endswith("/pods") and self.server.pods_after:
                with self.server.changed:
                    self.server.changed.wait_for(lambda: self.server.pods_after in self.server.watching, 10)
            super().do_GET()

    def world(self, path, query):
        server = self.server
        with server.changed:
            at = len(server.history)
            found = [o for p, o in server.objects.items() if p.rpartition("/")[0] == path]
            one = server.objects.get(path)
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        if path in server.discovery():
            self.answer(200, server.discovery()[path])
        elif query.get("watch"):
            self.watch_world(path, name, int(query.get("resourceVersion", "0")))
        elif path in server.collections:
            self.answer(200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(at)},
                              "items": [o for o in found if not name or o["metadata"]["name"] == name]})
        elif one:
            self.answer(200, one)
        else:
            thing = path.rsplit("/", 1)[1]
            self.answer(404, {"kind": "Status", "reason": "NotFound", "code": 404, "message": f'"{thing}" not found',
                              "details": {"name": thing}})

    def watch_world(self, path, name, at):
        server = self.server
        if server.gone.get(path):
            server.gone[path] -= 1
            self.answer(410, {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
            return
        with server.changed:
            server.watching.add((path, name))
            server.changed.notify_all()
        self.begin()
        self.left = None
        cut = server.cuts
        try:
            while not server.down.is_set() and not server.ended.is_set() and server.cuts == cut:
                with server.changed:
                    server.changed.wait_for(lambda: len(server.history) > at or server.ended.is_set() or server.cuts != cut, 0.2)
                    new, at = server.history[at:], len(server.history)
                for collection, kind, obj in new:
                    if collection == path and (not name or obj["metadata"]["name"] == name):
                        self.send(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
            self.finish_stream()
        except OSError:
            pass
        except Exception:  # the server is going down: so does the stream
            self.close_connection = True


class World(LogServer):
    def __init__(self, pods):
        self.objects, self.history, self.gone, self.watching, self.cuts = {}, [], {}, set(), 0
        self.pods_after = None  # a watch before which Pods are not listed
        self.collections = {"/api/v1/namespaces/default/events", "/api/v1/events", "/apis/apps/v1/namespaces/default/deployments",
                            "/apis/batch/v1/namespaces/default/jobs", "/apis/batch/v1/namespaces/default/cronjobs",
                            "/api/v1/namespaces/default/services", "/api/v1/namespaces/default/replicationcontrollers",
                            f"{WASM}/namespaces/default/wasmactors", f"{WASM}/latticehosts", f"{WASM}/lattices"}
        super().__init__(pods)
        self.RequestHandlerClass = WorldHandler

    def world_serves(self, path):
        return path in self.collections or path.rpartition("/")[0] in self.collections or path in self.discovery()

    def discovery(self):
        """Of what is not built in."""
        return {"/api": {"kind": "APIVersions", "versions": ["v1"]}, "/apis": {"kind": "APIGroupList", "groups": []},
                "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
                    {"name": "replicationcontrollers", "singularName": "replicationcontroller", "namespaced": True, "kind": "ReplicationController",
                     "shortNames": ["rc"], "verbs": ["get", "list", "watch"]}]}}

    def put(self, collection, obj, kind=None):
        path = f"{collection}/{obj['metadata']['name']}"
        obj.setdefault("kind", "Object")
        with self.changed:
            kind = kind or ("MODIFIED" if path in self.objects else "ADDED")
            obj["metadata"]["resourceVersion"] = str(len(self.history) + 1)
            if kind == "DELETED":
                self.objects.pop(path, None)
            else:
                self.objects[path] = obj
            self.history.append((collection, kind, json.loads(json.dumps(obj))))
            self.changed.notify_all()

    def cut_watches(self):
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()


def owned(name, kind, owner):
    return {"metadata": {"name": name, "namespace": "default", "ownerReferences": [{"kind": kind, "name": owner}]}}


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
ACTORS = f"{WASM}/namespaces/default/wasmactors"
HOSTS = f"{WASM}/latticehosts"
EVENTS = "/api/v1/namespaces/default/events"


def deployment(name, labels):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": labels}}}


def host(name, hostname=None):
    return {"kind": "LatticeHost", "metadata": {"name": name}, "spec": {"hostID": name.upper(), "lattice": "default"},
            "status": {"hostname": hostname} if hostname else {}}


def wasm_actor(*hosts):
    return {"kind": "WasmActor", "metadata": {"name": "hello", "namespace": "default"},
            "spec": {"lattice": "default", "image": "reg/hello:1"},
            "status": {"componentID": "default_hello", "placements": [{"host": h, "state": "Running"} for h in hosts]}}


def event(name, kind, about, reason="Pulled", count=1, when=None, text="said"):
    t = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when or time.time()))
    return {"kind": "Event", "metadata": {"name": name, "namespace": "default", "creationTimestamp": t}, "type": "Normal",
            "reason": reason, "message": text, "count": count, "lastTimestamp": t,
            "involvedObject": {"kind": kind, "name": about, "namespace": "default"}}


class HostLog(Instance):
    """Every third line names our component, every third another whose name begins the same, every third none."""

    def line(self, k):
        what = ('component_id="default_hello"', "component_id=default_hello-2", "nobody")[k % 3]
        return f"{stamp(self.ns(k))} {self.name} {k} {what}\n".encode()


class SourcesTest(TailTest):
    def world(self, pods=()):
        server = World(pods)
        self.servers["one"] = server
        self.addCleanup(server.close)
        self.contexts()
        return server

    def heard(self, process, text):
        self.wait_for(lambda: f"{text!r} in {process.talk}", lambda: any(text in t for t in process.talk))

    def interrupt(self, process):
        """Sources that come late have late lines: that is no matter here."""
        super().interrupt(process)
        process.lines = [line.replace("(late) ", "") for line in process.lines]
        return process

    def says(self, process, text, n=1):
        self.wait_for(lambda: f"{text!r} x{n} in {process.lines[-5:]}", lambda: sum(text in line for line in process.lines) >= n)


class Objects(SourcesTest):
    def test_comes_changes_goes_and_comes_back(self):
        a = Pod("a-1", Instance("a", 10, 100, past=1), labels={"app": "a"})
        b = Pod("b-1", Instance("b", 10, 100, past=1), labels={"app": "b"})
        server = self.world([a, b])
        process = self.tail("deployments.apps/web", "--only-log-lines")
        self.heard(process, "waiting for it")
        server.put(DEPLOYMENTS, deployment("web", {"app": "a"}))
        self.complete(process, 10)
        self.heard(process, "deployments.apps/web is there")
        server.put(DEPLOYMENTS, deployment("web", {"app": "b"}))
        self.complete(process, 20)
        server.put(DEPLOYMENTS, deployment("web", {"app": "b"}), "DELETED")
        self.heard(process, "is gone; waiting for it to come back")
        server.put(DEPLOYMENTS, deployment("web", {"app": "a"}))
        self.wait_for("it to be there again", lambda: sum("is there" in t for t in process.talk) == 2)
        late = Pod("a-2", Instance("a2", 10, 100, past=1), labels={"app": "a"})
        server.change(late, "ADDED")
        self.complete(process, 30)
        self.interrupt(process)
        names = [line.split()[2] for line in process.lines]
        self.assertEqual({n: names.count(n) for n in set(names)}, {"a": 10, "b": 10, "a2": 10})

    def test_without_follow_it_must_be_there(self):
        self.world()
        got = self.run_cli("tail", "deployments.apps/web", "--no-follow")
        self.assertEqual((got.code, got.out), (1, ""))
        self.assertIn('"web" not found', got.err)

    def test_several_queries_once_each(self):
        server = self.world([Pod("web-1", Instance("a", 10, 100, past=1, ends=True), labels={"app": "a"}),
                             Pod("db-1", Instance("b", 10, 100, past=1, ends=True)),
                             Pod("other", Instance("c", 10, 100, past=1, ends=True))])
        server.put(DEPLOYMENTS, deployment("web", {"app": "a"}))
        got = self.run_cli("tail", "deployments.apps/web", "^web", "po/db-1", "--no-follow", "--only-log-lines")
        names = [line.split()[2] for line in got.out.splitlines()]
        self.assertEqual({n: names.count(n) for n in set(names)}, {"a": 10, "b": 10}, got.err)

    def test_service_without_selector(self):
        server = self.world()
        server.put("/api/v1/namespaces/default/services", {"metadata": {"name": "out", "namespace": "default"}, "spec": {}})
        got = self.run_cli("tail", "svc/out")
        self.assertEqual(got.code, 1)
        self.assertIn("services/out has no selector", got.err)

    def test_replication_controller(self):
        server = self.world([Pod("rc-1", Instance("a", 5, 100, past=1, ends=True), labels={"app": "a"}),
                             Pod("no-1", Instance("b", 5, 100, past=1, ends=True))])
        server.put("/api/v1/namespaces/default/replicationcontrollers",
                   {"metadata": {"name": "rc", "namespace": "default"}, "spec": {"selector": {"app": "a"}}})
        got = self.run_cli("tail", "rc/rc", "--no-follow", "--only-log-lines")
        self.assertEqual(len(got.out.splitlines()), 5, got.err)

    def test_later_jobs_of_a_cronjob(self):
        server = self.world()
        jobs = "/apis/batch/v1/namespaces/default/jobs"
        server.put("/apis/batch/v1/namespaces/default/cronjobs", {"metadata": {"name": "nightly", "namespace": "default"}, "spec": {}})
        process = self.tail("cronjobs.batch/nightly", "--only-log-lines")
        self.wait_for("Jobs to be watched", lambda: (jobs, "") in server.watching)
        for n, owner in (("manual", "nightly"), ("stranger", "weekly"), ("nightly-29", "nightly")):
            server.put(jobs, owned(n, "CronJob", owner))
            pod = Pod(f"{n}-x", Instance(n, 5, 100, past=1))
            made = pod.object()
            pod.object = lambda made=made, n=n: {**made, "metadata": {**made["metadata"], **owned(f"{n}-x", "Job", n)["metadata"]}}
            server.change(pod, "ADDED")
        self.complete(process, 10)
        self.interrupt(process)
        self.assertEqual({line.split()[2] for line in process.lines}, {"manual", "nightly-29"})


class OurKinds(SourcesTest):
    def hosts(self, *names):
        """A Pod in which each host runs; the last is known by its host name only."""
        pods = []
        for n in names:
            by_name = n == names[-1]
            pods.append(Pod(f"pod-{n}", HostLog(n, 600, 60, past=1), labels={} if by_name else {"wasmctl.dev/host-id": n.upper()}))
        server = self.world(pods)
        for n in names:
            server.put(HOSTS, host(n, f"pod-{n}" if n == names[-1] else None))
        return server

    def of(self, process, name):
        return [int(words[3]) for words in (line.replace("(late) ", "").split() for line in process.lines) if words[2] == name]

    def test_moves_from_host_to_host(self):
        server = self.hosts("nfirst", "nsecond", "nother", "nthird")
        server.put(ACTORS, wasm_actor("nfirst"))
        process = self.tail("wa/hello", "--only-log-lines")
        for n in ("nfirst", "nsecond", "nthird", "nfirst"):
            server.put(ACTORS, wasm_actor(n))
            self.wait_for(f"lines of {n}", lambda n=n, had=len(self.of(process, n)): len(self.of(process, n)) > had + 5)
        self.interrupt(process)
        self.assertEqual({line.split()[4] for line in process.lines}, {'component_id="default_hello"'})
        self.assertEqual({line.split()[2] for line in process.lines}, {"nfirst", "nsecond", "nthird"})
        for n in ("nfirst", "nsecond", "nthird"):
            numbers = self.of(process, n)
            self.assertEqual(numbers, sorted(set(numbers)), f"a line of {n} twice or out of order")
        # What was let go and taken up again has the gap of its absence at most: no line before and none after is missing.
        steps = [b - a for a, b in zip(self.of(process, "nsecond"), self.of(process, "nsecond")[1:])]
        self.assertEqual(set(steps), {3}, steps)

    def test_all_lines_of_its_hosts(self):
        server = self.hosts("nfirst", "nsecond")
        server.put(ACTORS, wasm_actor("nfirst"))
        process = self.tail("wasmactor/hello", "--only-log-lines", "--host-lines")
        self.complete(process, 30)
        self.interrupt(process)
        self.assertEqual({line.split()[4] for line in process.lines},
                         {'component_id="default_hello"', "component_id=default_hello-2", "nobody"})

    def test_a_host_and_a_lattice(self):
        server = self.hosts("nfirst", "nsecond", "nthird")
        server.put(f"{WASM}/lattices", {"metadata": {"name": "default"}, "spec": {"nats": {"servers": ["nats://127.0.0.1:1"]}}})
        process = self.tail("latticehost/NSECOND", "--only-log-lines")
        self.complete(process, 30)
        self.interrupt(process)
        self.assertEqual({line.split()[2] for line in process.lines}, {"nsecond"})
        process = self.tail("lattice/default", "--only-log-lines")
        self.wait_for("lines of all hosts", lambda: {w for line in process.lines for w in line.split()[2:4]} >= {"nfirst", "nsecond", "nthird"})
        self.interrupt(process)

    def test_lattice_out_of_reach_is_told_once(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        server = self.hosts("nfirst", "nsecond")
        server.put(f"{WASM}/lattices", {"metadata": {"name": "default"}, "spec": {"nats": {"servers": [f"nats://127.0.0.1:{port}"]}}})
        server.put(ACTORS, wasm_actor("nfirst"))
        process = self.tail("wasmactor/hello", "--only-log-lines", "--lattice-events")
        self.heard(process, "lattice default of context one cannot be reached from here")
        self.complete(process, len(process.lines) + 40)
        self.interrupt(process)
        self.assertEqual(sum("cannot be reached" in t for t in process.talk), 1, process.talk)

    def test_what_does_not_go_together(self):
        self.world()
        for args, text in ((("web", "--lattice-events"), "goes with lattice/NAME"),
                           (("lattice/x", "--lattice-events", "--no-follow"), "does not go with --no-follow"),
                           (("wasmactor/x", "-A"), "is in one namespace"), (("wasmactor/",), "is no KIND/NAME")):
            got = self.run_cli("tail", *args)
            self.assertEqual(got.code, 1, args)
            self.assertIn(text, got.err)


class Events(SourcesTest):
    def test_what_was_there_before_its_pod_is_known(self):
        """Events are listed first: which of them are meant is only known with the Pods."""
        server = self.world([Pod("web-1", Instance("a", 3, 60, past=1), labels={"app": "a"})])
        server.put(DEPLOYMENTS, deployment("web", {"app": "a"}))
        server.put(EVENTS, event("e1", "Pod", "web-1", "Created", when=time.time() - 600))
        server.put(EVENTS, event("e2", "Pod", "db-1", "Created", when=time.time() - 600))
        server.pods_after = (EVENTS, "")
        process = self.tail("deployments.apps/web", "--events", "--only-log-lines")
        self.says(process, "Created pod/web-1")
        self.interrupt(process)
        self.assertEqual(sum("events " in line for line in process.lines), 1, process.lines)

    def test_narrowed_and_never_twice(self):
        server = self.world([Pod("web-1", Instance("a", 400, 60, past=1), labels={"app": "a"}), Pod("db-1", Instance("b", 3, 100, past=1))])
        server.put(DEPLOYMENTS, deployment("web", {"app": "a"}))
        old = time.time() - 600
        server.put(EVENTS, event("e2", "Pod", "web-1", "Started", when=old + 2))
        server.put(EVENTS, event("e1", "Pod", "web-1", "Created", when=old))
        server.put(EVENTS, event("e3", "Pod", "db-1", "Started", when=old))
        server.put(EVENTS, event("e4", "Deployment", "web", "Scaled", when=old + 3))
        process = self.tail("deployments.apps/web", "--events", "--only-log-lines")
        self.says(process, "events ", 3)
        self.wait_for("Events to be watched", lambda: (EVENTS, "") in server.watching)
        server.put(EVENTS, event("e5", "Pod", "web-1", "BackOff", text="two\nlines"))
        self.says(process, "BackOff")
        server.put(EVENTS, event("e5", "Pod", "web-1", "BackOff", count=4))
        self.says(process, "(x4)")
        # The list comes anew after 410, and repeats nothing.
        server.watching.clear()
        server.gone[EVENTS] = 1
        server.cut_watches()
        self.wait_for("a list after 410", lambda: (EVENTS, "") in server.watching)
        # An Event may come before the Pod it is about.
        server.put(EVENTS, event("e6", "Pod", "web-2", "Scheduled"))
        server.put(EVENTS, event("e7", "Pod", "db-2", "Scheduled"))
        server.change(Pod("web-2", Instance("w", 3, 100, past=1), labels={"app": "a"}), "ADDED")
        self.says(process, "Scheduled pod/web-2")
        self.interrupt(process)
        said = [line.removeprefix("events ") for line in process.lines if line.startswith("events ")]
        self.assertEqual(said,
                         ["Normal Created pod/web-1: said", "Normal Started pod/web-1: said", "Normal Scaled deployment/web: said",
                          "Normal BackOff pod/web-1: two lines", "Normal BackOff pod/web-1: said (x4)", "Normal Scheduled pod/web-2: said"])

    def test_read_and_end(self):
        server = self.world([Pod("web-1", Instance("a", 4, 100, past=5, ends=True))])
        for i in range(6):
            server.put(EVENTS, event(f"e{i}", "Pod", "web-1", f"R{i}", when=time.time() - 100 + i))
        got = self.run_cli("tail", "web", "--events", "--no-follow", "--only-log-lines", "--tail=2")
        self.assertEqual((got.code, got.err), (0, ""))
        self.assertEqual([line.split()[2] for line in got.out.splitlines() if line.startswith("events")], ["R4", "R5"])
        self.assertEqual(len(got.out.splitlines()), 4)


class Files(SourcesTest):
    def setUp(self):
        super().setUp()
        self.world()
        self.log = os.path.join(self.write("place", ""), "..", "x.log")
        self.log = os.path.normpath(self.log)

    def add(self, text, path=None):
        with open(path or self.log, "a", encoding="utf-8") as f:
            f.write(text)

    def test_as_tail_F_does(self):
        process = self.tail("--file", self.log, "-o", "raw")
        self.heard(process, "waiting for it")
        self.add("one\ntw")
        self.says(process, "one")
        self.add("o\n")
        self.says(process, "two")
        # Renamed; who writes goes on in the old file for a while.
        os.rename(self.log, self.log + ".1")
        self.add("three\n", self.log + ".1")
        self.says(process, "three")
        self.add("", self.log)
        self.add("four\n", self.log + ".1")
        self.add("five\n")
        self.says(process, "five")
        os.truncate(self.log, 0)
        self.says(process, "was truncated")
        self.add("six\n")
        self.says(process, "six")
        os.remove(self.log)
        self.add("seven\n")
        self.says(process, "seven")
        self.interrupt(process)
        self.assertEqual([line for line in process.lines if "truncated" not in line], ["one", "two", "three", "four", "five", "six", "seven"])

    def test_order_of_times(self):
        other = self.log + ".cri"
        self.add("2026-01-02T03:04:05Z a\nnext\n2026-01-02T03:04:07.5Z c\n")
        self.add("2026-01-02T03:04:06.1Z stdout F b\n2026-01-02T03:04:07Z stderr P b", other)
        self.add("2\n2026-01-02T03:04:07Z stderr F 3\n2026-01-02T03:04:08+00:00 stdout F d\n", other)
        got = self.run_cli("tail", "--file", self.log, "--file", other, "--no-follow", "-o", "raw")
        self.assertEqual((got.code, got.err), (0, ""))
        self.assertEqual(got.out.splitlines(), ["2026-01-02T03:04:05Z a", "next", "b", "b23", "2026-01-02T03:04:07.5Z c", "d"])
        got = self.run_cli("tail", "--file", self.log, "--no-follow", "-o", "raw", "--tail=1")
        self.assertEqual(got.out, "2026-01-02T03:04:07.5Z c\n")

    def test_large_file_whole(self):
        with open(self.log, "w", encoding="utf-8") as f:
            f.writelines(f"{i} {'x' * (i % 300)}\n" for i in range(100000))
        got = self.run_cli("tail", "--file", self.log, "--no-follow", "-o", "raw")
        self.assertEqual([int(line.split()[0]) for line in got.out.splitlines()], list(range(100000)))

    def test_stdin_and_pods_too(self):
        self.servers["one"].change(Pod("p", Instance("s", 3, 100, past=2, ends=True)), "ADDED")
        self.add("from a file\n")
        got = self.run_cli("tail", "p", "--stdin", "--file", self.log, "--no-follow", "--only-log-lines", stdin="from a pipe\n")
        self.assertEqual((got.code, got.err), (0, ""))
        self.assertEqual(sorted(line.split(" ", 1)[0] for line in got.out.splitlines()), ["p", "p", "p", "stdin", "x.log"])

    def test_cannot_be_read(self):
        got = self.run_cli("tail", "--file", self.log + ".none", "--no-follow")
        self.assertEqual(got.code, 1)
        self.assertIn("x.log.none: No such file", got.err)
        got = self.run_cli("tail", "--file", os.path.dirname(self.log), "--no-follow")
        self.assertIn("is a folder", got.err)
        self.assertEqual(got.code, 1)


if __name__ == "__main__":
    unittest.main()
