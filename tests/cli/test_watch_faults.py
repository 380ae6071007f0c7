"""Commands that watch, while everything breaks: the server ends watches at any place, forgets the history, refuses, goes away, wants
another token. Every change is printed exactly once, and the end is the one that was to come."""
import json
import os
import re
import threading
import urllib.parse

from harness import *
from rawserver import *

ACTOR_PATH = "/apis/wasmctl.dev/v1alpha1/namespaces/default/wasmactors"
EVENT_PATH = "/api/v1/namespaces/default/events"
OLD = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"}


class WatchServer:
    """One kind of objects with its whole history. What happens to the n-th watch is plan[n], a list of steps; past the plan a watch
    gives everything and stays open.

    ("events", N)  the next N changes      ("part", N)   N bytes of the change after them, then the connection is cut
    ("bookmark",)  a bookmark              ("gone",)     410 in the stream
    ("cut",)       cut, as a broken connection; the end of the steps ends the stream as servers do
    ("status", CODE, HEADERS)  the request is answered with this error
    ("call", FUNCTION)         anything, in between
    """

    def __init__(self, path, kind, plan=()):
        self.path, self.kind, self.plan, self.lists, self.watches = path, kind, list(plan), [], 0
        self.version, self.log, self.forgotten, self.changed = 10, [], 0, threading.Condition()
        self.token = None
        self.raw = RawServer(self.handle)
        self.port = self.raw.port

    def close(self):
        with self.changed:
            self.raw.close()
            self.changed.notify_all()

    def reopen(self):
        self.raw = RawServer(self.handle, port=self.port)

    def change(self, type_, o):
        with self.changed:
            self.version += 1
            o = json.loads(json.dumps(o))
            o["metadata"]["resourceVersion"] = str(self.version)
            self.log.append((self.version, type_, o))
            self.changed.notify_all()

    def forget(self):
        """All that happened so far is no longer told by a watch."""
        self.forgotten = self.version

    def watched(self, n=1):
        """Waits for the n-th watch."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.watches >= n, RUN_TIMEOUT), self.watches

    def state(self):
        objects = {}
        for _, type_, o in self.log:
            objects.pop(o["metadata"]["name"], None)
            if type_ != "DELETED":
                objects[o["metadata"]["name"]] = o
        return list(objects.values())

    def shown(self, objects, as_table, version):
        if as_table:
            rows = [row(o, o.get("status", {}).get("ready", ""), "i", "5m") for o in objects]
            return table(*rows, version=str(version))
        return {"kind": self.kind + "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}, "items": objects}

    def handle(self, connection, n):
        while request := read_request(connection):
            _, target, head, _ = request
            path, _, query = target.partition("?")
            query = {k: v[-1] for k, v in urllib.parse.parse_qs(query).items()}
            as_table = "as=Table" in head
            if self.token and f"Authorization: Bearer {self.token}\r\n" not in head + "\r\n":
                connection.sendall(answer(401, json.dumps({"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"})))
                continue
            wanted = query.get("fieldSelector", "").partition("metadata.name=")[2]
            if path != self.path:
                name = path[len(self.path) + 1:]
                found = [o for o in self.state() if path.startswith(self.path + "/") and o["metadata"]["name"] == name]
                connection.sendall(answer(200, json.dumps(found[0])) if found else
                                   answer(404, json.dumps({"kind": "Status", "code": 404, "reason": "NotFound", "message": f'"{name}" not found'})))
            elif query.get("watch") == "true":
                if not self.watch(connection, int(query["resourceVersion"]), as_table, wanted):
                    return
            else:
                with self.changed:
                    self.lists.append(self.version)
                    objects = [o for o in self.state() if wanted in ("", o["metadata"]["name"])]
                    connection.sendall(answer(200, json.dumps(self.shown(objects, as_table, self.version))))

    def next_after(self, version, wanted):
        with self.changed:
            while True:
                for at, type_, o in self.log:
                    if at > version and wanted in ("", o["metadata"]["name"]):
                        return at, type_, o
                if self.raw.closing:
                    raise OSError("closed")
                self.changed.wait()

    def watch(self, connection, version, as_table, wanted):
        steps = self.plan[self.watches] if self.watches < len(self.plan) else [("events", 10 ** 6)]
        with self.changed:
            self.watches += 1
            self.changed.notify_all()
        if version < self.forgotten and steps[0][0] != "status":
            steps = [("gone",)]
        if steps[0][0] == "status":
            code, headers = steps[0][1], steps[0][2] if len(steps[0]) > 2 else ""
            connection.sendall(answer(code, json.dumps(OLD) if code == 410 else "", headers))
            return True
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")

        def send(text):
            data = text if isinstance(text, bytes) else json.dumps(text).encode() + b"\n"
            connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

        def event():
            at, type_, o = self.next_after(version, wanted)
            shown = self.shown([o], True, at) if as_table else o
            if as_table:
                shown["columnDefinitions"] = None
            return at, {"type": type_, "object": shown}
        for step in steps:
            if step[0] == "events":
                for _ in range(step[1]):
                    version, e = event()
                    send(e)
            elif step[0] == "part":
                text = json.dumps(event()[1]).encode() + b"\n"
                send(text[:step[1] % len(text)])
                return False
            elif step[0] == "bookmark":
                send({"type": "BOOKMARK", "object": {"kind": self.kind, "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}}})
            elif step[0] == "gone":
                send({"type": "ERROR", "object": OLD})
            elif step[0] == "call":
                step[1]()
            elif step[0] == "cut":
                return False
        connection.sendall(b"0\r\n\r\n")
        return True


class WatchTest(CliTest):
    def serve(self, path, kind, plan=(), user=""):
        server = WatchServer(path, kind, plan)
        self.addCleanup(server.close)
        url = f"http://127.0.0.1:{server.port}"
        text = self.kubeconfig(url).replace("user: {}", f"user: {{{user}}}")
        self.env["KUBECONFIG"] = self.write("kubeconfig", text)
        return server

    def begin(self, *args):
        """Starts the command; its stderr is read as it comes."""
        process = self.start_cli(*args)
        process.talk, process.heard = [], threading.Condition()

        def listen():
            with os.fdopen(os.dup(process.stderr.fileno())) as lines:
                for line in lines:
                    with process.heard:
                        process.talk.append(line.rstrip("\n"))
                        process.heard.notify_all()
            with process.heard:
                process.talk.append(None)
                process.heard.notify_all()
        threading.Thread(target=listen, daemon=True).start()
        return process

    def hears(self, process, words):
        with process.heard:
            self.assertTrue(process.heard.wait_for(lambda: any(t is None or words in t for t in process.talk), RUN_TIMEOUT), process.talk)
        self.assertTrue(any(t and words in t for t in process.talk), process.talk)

    def reads(self, process, expected):
        """The next lines of stdout, blanks apart."""
        got = []
        for _ in expected:
            line = process.stdout.readline()
            if not line:
                break
            got.append(" ".join(line.split()))
        self.assertEqual(expected, got, process.talk)

    def ends(self, process, code):
        self.assertEqual(code, process.wait(RUN_TIMEOUT), process.talk)
        self.assertEqual("", process.stdout.read())


def ready(name, value="1/1"):
    return actor(name, status_={"ready": value})


class Get(WatchTest):
    """get -w --output-watch-events: each change one line."""

    def run_plan(self, plan, changes=8, user="", token=None, prepare=None, note=None):
        server = self.serve(ACTOR_PATH, "WasmActor", plan, user)
        server.token = token
        server.change("ADDED", ready("first"))
        process = self.begin("get", "wa", "-w", "--output-watch-events", "--no-headers")
        self.reads(process, ["ADDED first 1/1 5m"])
        if prepare:
            prepare(server)
        for i in range(changes):
            server.change("ADDED", ready(f"a{i}", "0/1"))
            server.change("MODIFIED", ready("first", f"{i}/9"))
            self.reads(process, [f"ADDED a{i} 0/1 5m", f"MODIFIED first {i}/9 5m"])
        server.change("DELETED", ready("a0"))
        server.change("ADDED", ready("last"))
        self.reads(process, ["DELETED a0 1/1 5m", "ADDED last 1/1 5m"])
        if note:
            self.hears(process, note)
        self.assertIsNone(process.poll())
        return server

    def test_ends_as_servers_end_watches(self):
        server = self.run_plan([[("events", n % 3)] for n in range(7)])
        self.assertEqual(8, server.watches)
        self.assertEqual(1, len(server.lists))

    def test_cut_after_headers_and_bookmarks(self):
        server = self.run_plan([[("cut",)], [("events", 1), ("bookmark",), ("cut",)], [("bookmark",)], [("events", 2), ("bookmark",)],
                                [("events", 1), ("cut",)]])
        self.assertEqual(6, server.watches)
        self.assertEqual(1, len(server.lists))

    def test_cut_at_many_places_of_an_event(self):
        length = len(json.dumps({"type": "ADDED", "object": table(row(ready("a0"), "0/1", "i", "5m"))}))
        places = list(range(1, length + 1, length // 12)) + [length - 1, length]
        server = self.run_plan([[("events", 1), ("part", n)] for n in places], changes=len(places))
        self.assertGreater(server.watches, len(places))
        self.assertEqual(1, len(server.lists))

    def test_forgotten_history(self):
        """410 in the stream, at its beginning and after changes, and in answer to the request: listed anew, nothing told twice."""
        server = self.run_plan([[("events", 2), ("gone",)], [("gone",)], [("status", 410)], [("events", 1), ("cut",)], [("status", 410)]])
        self.assertEqual(5, len(server.lists))

    def test_what_happened_while_nobody_looked(self):
        """The server was away and has forgotten: what came, went, changed, and was replaced meanwhile is told once."""
        server = self.serve(ACTOR_PATH, "WasmActor", [[("events", 1), ("cut",)]])
        for name in ("same", "changes", "goes", "replaced"):
            server.change("ADDED", ready(name))
        process = self.begin("get", "wa", "-w", "--output-watch-events", "--no-headers")
        self.reads(process, [f"ADDED {n} 1/1 5m" for n in ("same", "changes", "goes", "replaced")])

        def meanwhile():
            server.change("MODIFIED", ready("changes", "2/2"))
            server.change("DELETED", ready("goes"))
            server.change("DELETED", ready("replaced"))
            server.change("ADDED", actor("replaced", status_={"ready": "0/1"}, uid="another"))
            server.change("ADDED", ready("comes"))
            server.forget()
        server.plan[0].insert(1, ("call", meanwhile))
        server.change("MODIFIED", ready("same", "3/3"))
        self.reads(process, ["MODIFIED same 3/3 5m", "MODIFIED changes 2/2 5m", "DELETED replaced 1/1 5m", "ADDED replaced 0/1 5m",
                             "ADDED comes 1/1 5m", "DELETED goes 1/1 5m"])
        server.change("DELETED", ready("comes"))
        self.reads(process, ["DELETED comes 1/1 5m"])

    def test_server_is_away(self):
        server = self.serve(ACTOR_PATH, "WasmActor")
        server.change("ADDED", ready("first"))
        process = self.begin("get", "wa", "-w", "--output-watch-events", "--no-headers")
        self.reads(process, ["ADDED first 1/1 5m"])
        for i in range(2):
            server.close()
            self.hears(process, "watch of wasmactors interrupted (The connection to the server 127.0.0.1:")
            process.talk.clear()
            server.change("MODIFIED", ready("first", f"{i}/2"))
            server.reopen()
            self.reads(process, [f"MODIFIED first {i}/2 5m"])
            self.hears(process, "watch of wasmactors goes on")
            process.talk.clear()

    def test_errors_of_the_server(self):
        server = self.run_plan([[("events", 1)], [("status", 500)], [("status", 429, "Retry-After: 1\r\n")], [("status", 503)],
                                [("events", 2), ("cut",)], [("status", 403)], [("status", 404)]],
                               note="watch of wasmactors interrupted (Error from server (")
        self.assertEqual(1, len(server.lists))

    def test_token_expires_and_the_file_is_renewed(self):
        self.write("token", "one")

        def renewed_first():
            self.write("token", "two")
            server_of[0].token = "two"
        server_of = []
        self.run_plan([[("events", 1), ("call", renewed_first), ("cut",)]], user=f'tokenFile: "{self.dir}/token"', token="one",
                      prepare=server_of.append)

    def test_token_expires_and_the_file_is_renewed_later(self):
        self.write("token", "one")
        server = self.serve(ACTOR_PATH, "WasmActor", [], f'tokenFile: "{self.dir}/token"')
        server.token = "one"
        server.plan = [[("events", 1), ("call", lambda: setattr(server, "token", "two")), ("cut",)]]
        server.change("ADDED", ready("first"))
        process = self.begin("get", "wa", "-w", "--no-headers")
        self.reads(process, ["first 1/1 5m"])
        server.change("MODIFIED", ready("first", "1/2"))
        self.reads(process, ["first 1/2 5m"])
        self.hears(process, "interrupted (error: You must be logged in to the server (Unauthorized)), trying again")
        server.change("MODIFIED", ready("first", "2/2"))
        self.write("token", "two")
        self.reads(process, ["first 2/2 5m"])

    def test_as_names(self):
        """Without a table: the names of what changes."""
        server = self.serve(ACTOR_PATH, "WasmActor", [[("events", 1), ("part", 50)], [("gone",)], [("bookmark",), ("cut",)]])
        server.change("ADDED", ready("a"))
        process = self.begin("get", "wa", "-w", "-o", "name")
        self.reads(process, ["wasmactor.wasmctl.dev/a"])
        for name in "bcd":
            server.change("ADDED", ready(name))
            self.reads(process, [f"wasmactor.wasmctl.dev/{name}"])


def an_event(name, message):
    return {"kind": "Event", "apiVersion": "v1", "metadata": meta(name), "type": "Normal", "reason": "Started", "message": message,
            "lastTimestamp": "2026-01-02T03:04:05Z", "involvedObject": {"kind": "WasmActor", "name": "hello"}}


class Events(WatchTest):
    def test_through_everything(self):
        server = self.serve(EVENT_PATH, "Event", [[("events", 1), ("part", 70)], [("events", 1), ("gone",)], [("status", 410)],
                                                  [("status", 500)], [("bookmark",), ("cut",)], [("events", 2)]])
        server.change("ADDED", an_event("e", "first"))
        process = self.begin("events", "-w", "--no-headers")

        def reads(*messages):
            for message in messages:
                self.assertTrue(process.stdout.readline().rstrip().endswith(" WasmActor/hello   " + message), message)
        reads("first")
        for i in range(8):
            server.change("ADDED", an_event(f"e{i}", f"message {i}"))
            server.change("MODIFIED", an_event("e", f"again {i}"))
            reads(f"message {i}", f"again {i}")

    def test_nothing_to_show_and_a_server_that_goes(self):
        server = self.serve(EVENT_PATH, "Event", [[("call", lambda: None), ("gone",)]])
        process = self.begin("events", "-w", "--no-headers")
        server.watched(2)
        server.close()
        self.hears(process, "watch of events interrupted (")
        server.change("ADDED", an_event("e", "late"))
        server.reopen()
        self.assertTrue(process.stdout.readline().rstrip().endswith("late"))


def conditioned(status_, reason="X", **more):
    return actor("hello", status_={"conditions": [{"type": "Ready", "status": status_, "reason": reason, "message": "m"}], **more})


def everything(poke):
    """poke() makes a change that is not what is waited for."""
    event = [("call", poke), ("events", 1)]
    return [event + [("cut",)], [("call", poke), ("part", 40)], [("status", 500)], event + [("gone",)], [("status", 410)], event,
            [("status", 429, "Retry-After: 1\r\n")], event + [("bookmark",), ("cut",)], [("status", 403)], [("status", 404)], event]


class Wait(WatchTest):
    def test_condition_through_everything(self):
        server = self.serve(ACTOR_PATH, "WasmActor")
        server.plan = everything(lambda: server.change("MODIFIED", conditioned("False")))
        server.change("ADDED", conditioned("False"))
        process = self.begin("wait", "wa/hello", "--for=condition=Ready", "--timeout=60s")
        server.watched(len(server.plan) + 1)
        self.hears(process, "watch of wasmactors/hello interrupted (")
        server.change("MODIFIED", conditioned("True"))
        self.reads(process, ["wasmactor.wasmctl.dev/hello condition met"])
        self.ends(process, 0)

    def test_deleted_while_nobody_looked(self):
        """Another object of the name is there when the server is back: the one that was waited for is gone."""
        server = self.serve(ACTOR_PATH, "WasmActor", [[("events", 1), ("cut",)]])
        server.change("ADDED", conditioned("False"))

        def meanwhile():
            server.change("DELETED", conditioned("False"))
            server.change("ADDED", actor("hello", uid="another"))
            server.forget()
        server.plan[0].insert(1, ("call", meanwhile))
        process = self.begin("wait", "wa/hello", "--for=delete", "--timeout=60s")
        server.watched()
        server.change("MODIFIED", conditioned("True"))
        self.reads(process, ["wasmactor.wasmctl.dev/hello condition met"])
        self.ends(process, 0)

    def test_timeout_while_the_server_is_away(self):
        server = self.serve(ACTOR_PATH, "WasmActor", [[("call", lambda: server.raw.close()), ("cut",)]])
        server.change("ADDED", conditioned("False"))
        process = self.begin("wait", "wa/hello", "--for=condition=Ready", "--timeout=2s")
        self.hears(process, "watch of wasmactors/hello interrupted (The connection to the server 127.0.0.1:")
        self.hears(process, "timed out waiting for the condition on wasmactors/hello")
        self.ends(process, 1)


class Rollout(WatchTest):
    @staticmethod
    def rolling(updated, replicas=3, done=False):
        return actor("hello", spec={"image": "i", "replicas": 3}, generation=2, status_={
            "observedGeneration": 2, "updatedReplicas": updated, "replicas": replicas, "readyReplicas": updated,
            "conditions": [{"type": "Progressing", "status": "False" if done else "True", "reason": "Complete" if done else "Updating"}]})

    def test_through_everything(self):
        server = self.serve(ACTOR_PATH, "WasmActor")
        server.plan = everything(lambda: server.change("MODIFIED", self.rolling(2)))
        server.change("ADDED", self.rolling(0))
        process = self.begin("rollout", "status", "wa/hello")
        for updated in (0, 2):
            self.reads(process, [f'Waiting for wasmactor "hello" rollout to finish: {updated} out of 3 new replicas have been updated...'])
        server.watched(len(server.plan) + 1)
        self.hears(process, "watch of wasmactors/hello interrupted (")
        server.change("MODIFIED", self.rolling(3, done=True))
        self.reads(process, ['wasmactor "hello" successfully rolled out'])
        self.ends(process, 0)


if __name__ == "__main__":
    main()
