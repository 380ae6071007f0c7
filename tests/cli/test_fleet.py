"""One command over several contexts: scripted API servers that serve, hang, refuse, forbid or talk nonsense."""
import json
import os
import pty
import queue
import select
import signal
import socket
import stat
import threading
import time

from harness import *

REFUSED = "The connection to the server {} was refused - did you specify the right host or port?"


class FleetTest(CliTest):
    """self.api is the server of context "aws", the others are made by self.fleet()."""

    def fleet(self, *names, users=None):
        """Contexts by these names, each with a scripted server of its own, except "dead*": nobody listens there, and "slow*":
        it accepts connections and says nothing."""
        self.apis, clusters, contexts = {}, "", ""
        for name in names:
            if name.startswith("dead"):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", 0))
                    address = f"127.0.0.1:{s.getsockname()[1]}"
                self.dead = address
            elif name.startswith("slow"):
                s = socket.create_server(("127.0.0.1", 0))
                self.addCleanup(s.close)
                address = f"127.0.0.1:{s.getsockname()[1]}"
                self.slow = address
            else:
                api = self.api if not self.apis else FakeApi()
                if api is not self.api:
                    self.addCleanup(api.close)
                self.apis[name] = api
                address = f"127.0.0.1:{api.port}"
            clusters += f"- name: {name}\n  cluster: {{server: \"http://{address}\"}}\n"
            contexts += f"- name: {name}\n  context: {{cluster: {name}, user: u}}\n"
        users = users or "- name: u\n  user: {}\n"
        text = (f"apiVersion: v1\nkind: Config\ncurrent-context: {names[0]}\nclusters:\n{clusters}users:\n{users}"
                f"contexts:\n{contexts}")
        self.env["KUBECONFIG"] = self.write("fleet", text)

    def actors(self, name, *rows, delay=None, **more):
        answer = Answer(table(*[row(actor(n), "1/1", "img", "5m") for n in rows], **more))
        if delay is None:
            self.apis[name].on("GET", ACTORS, answer)
        else:
            self.apis[name].on("GET", ACTORS, lambda _: delay.wait(RUN_TIMEOUT) and answer)

    def lines(self, process):
        """Lines of its stdout as they come."""
        got = queue.Queue()

        def read():
            for line in process.stdout:
                got.put(line.rstrip("\n"))
            got.put(None)
        threading.Thread(target=read, daemon=True).start()
        return got


class Tables(FleetTest):
    def test_one_table_in_the_order_of_the_contexts(self):
        self.fleet("aws", "gcp", "on-prem")
        self.actors("aws", "hello")
        self.actors("gcp", "a-long-name")
        self.actors("on-prem", "x")
        self.expect("get wa --contexts on-prem,aws,gcp",
                    "CONTEXT   NAME          READY   AGE\n"
                    "on-prem   x             1/1     5m\n"
                    "aws       hello         1/1     5m\n"
                    "gcp       a-long-name   1/1     5m\n")
        for api in self.apis.values():
            self.assertEqual(1, len(api.requests))

    def test_selection(self):
        self.fleet("aws", "gcp", "on-prem")
        for name in self.apis:
            self.actors(name, name)
        def contexts(*args):
            got = self.run_cli("get", "wa", "--no-headers", *args)
            self.assertEqual((0, ""), (got.code, got.err))
            return [line.split()[0] for line in got.out.splitlines()]
        self.assertEqual(["aws", "gcp", "on-prem"], contexts("--all-contexts"))
        self.assertEqual(["gcp", "aws"], contexts("--contexts", "gcp,/a/"))
        self.assertEqual(["aws", "gcp"], contexts("--contexts=^on-prem"))
        self.assertEqual(["aws", "gcp"], contexts("--contexts=^/-/"))

    def test_wrong_selection_sends_nothing(self):
        self.fleet("aws", "gcp")
        for args, message in (
                ("get wa --contexts aws,gpc", 'error: context "gpc" does not exist; did you mean "gcp"?\n'),
                ("get wa --contexts /x/", "error: --contexts: /x/ matches none of the contexts: aws, gcp\n"),
                ("get wa --contexts ^aws,^gcp", 'error: --contexts: "^aws,^gcp" leaves no context\n'),
                ("get wa --contexts aws,/(/", "error: --contexts: /(/ is no regular expression: missing closing parenthesis at "
                 "character 2\n")):
            self.expect(args, err=message, code=1)
        for args in ("get wa --contexts aws --context gcp", "get wa --all-contexts --server http://x", "get wa --contexts=aws --all-contexts",
                     "get wa --allow-partial", "get wa --fail-fast"):
            got = self.run_cli(*args.split())
            self.assertEqual((1, ""), (got.code, got.out))
            self.assertIn("See 'wasmctl get --help' for usage.", got.err)
        for api in self.apis.values():
            self.assertEqual([], api.requests)

    def test_commands_for_one_cluster_refuse(self):
        self.fleet("aws", "gcp")
        got = self.run_cli("config", "view", "--contexts", "aws,gcp")
        self.assertEqual((1, ""), (got.code, got.out))
        self.assertIn("works on one cluster at a time", got.err)

    def test_mistakes_of_the_command_line_are_told_once(self):
        self.fleet("aws", "gcp")
        got = self.run_cli("get", "--contexts", "aws,gcp")
        self.assertEqual(1, got.err.count("you must specify the type of resource to get"))
        self.assertNotIn("contexts answered", got.err)

    def test_several_kinds_give_a_table_each(self):
        self.fleet("aws", "gcp")
        for name in self.apis:
            self.actors(name, "hello")
            self.apis[name].on("GET", API + "/latticehosts", Answer(table(row(actor("n" + name), "True", "i", "1h"))))
        self.apis["gcp"].on("GET", API + "/latticehosts", Answer({**table(row(actor("ngcp"), "True", "i", "1h")),
                                                                  "columnDefinitions": COLUMNS[:1]}))
        got = self.run_cli("get", "wa,lh", "--all-contexts")
        self.assertEqual((0, ""), (got.code, got.err))
        # Widths come from the rows that are there when a line is printed.
        self.assertEqual([["CONTEXT", "NAME", "READY", "AGE"],
                          ["aws", "wasmactor.wasmctl.dev/hello", "1/1", "5m"],
                          ["gcp", "wasmactor.wasmctl.dev/hello", "1/1", "5m"],
                          ["aws", "latticehost.wasmctl.dev/naws", "True", "1h"],
                          [],
                          ["CONTEXT", "NAME"],
                          ["gcp", "latticehost.wasmctl.dev/ngcp"]], [line.split() for line in got.out.splitlines()])

    def test_pages_of_one_context_stay_together(self):
        self.fleet("aws", "gcp")
        def page(request):
            if "continue" in request.query:
                return Answer(table(row(actor("b"), "1/1", "i", "6m"), columns=False))
            return Answer(table(row(actor("a"), "1/1", "i", "5m"), continued="more"))
        for api in self.apis.values():
            api.on("GET", ACTORS, page)
        got = self.run_cli("get", "wa", "--all-contexts", "--no-headers")
        self.assertEqual([["aws", "a"], ["aws", "b"], ["gcp", "a"], ["gcp", "b"]], [l.split()[:2] for l in got.out.splitlines()])

    def test_nothing_found_is_told_once(self):
        self.fleet("aws", "gcp")
        self.actors("aws")
        self.actors("gcp")
        self.expect("get wa --all-contexts", err="No resources found in default namespace.\n")
        self.actors("gcp", "hello")
        self.expect("get wa --all-contexts", "CONTEXT   NAME    READY   AGE\ngcp       hello   1/1     5m\n")


    def test_colour(self):
        self.fleet("aws", "gcp")
        self.actors("aws", "hello")
        self.actors("gcp", "hello")
        got = self.run_cli("get", "wa", "--all-contexts", "--color=always")
        self.assertEqual("\x1b[1mCONTEXT\x1b[0m   \x1b[1mNAME\x1b[0m    \x1b[1mREADY\x1b[0m   \x1b[1mAGE\x1b[0m", got.out.splitlines()[0])


class Formats(FleetTest):
    def setUp(self):
        super().setUp()
        self.fleet("aws", "gcp")
        for name, api in self.apis.items():
            api.on("GET", ACTORS, Answer(listing(actor("hello-" + name))))

    def contexts(self, items):
        return [(i["metadata"]["annotations"]["wasmctl.dev/context"], i["metadata"]["name"]) for i in items]

    def test_one_list_as_json(self):
        got = self.run_cli("get", "wa", "--all-contexts", "-o", "json")
        answer = json.loads(got.out)
        self.assertEqual(("List", "v1", 0, ""), (answer["kind"], answer["apiVersion"], got.code, got.err))
        self.assertEqual([("aws", "hello-aws"), ("gcp", "hello-gcp")], self.contexts(answer["items"]))

    def test_one_list_as_yaml(self):
        got = self.run_cli("get", "wa", "--all-contexts", "-o", "yaml")
        self.assertEqual(1, got.out.count("kind: List"))
        self.assertNotIn("---", got.out)
        self.assertIn("      wasmctl.dev/context: gcp\n", got.out)

    def test_one_object_each(self):
        for name, api in self.apis.items():
            api.on("GET", ACTORS + "/hello", Answer(actor("hello", annotations={"a": name})))
        answer = json.loads(self.run_cli("get", "wa", "hello", "--all-contexts", "-o", "json").out)
        self.assertEqual([{"a": "aws", "wasmctl.dev/context": "aws"}, {"a": "gcp", "wasmctl.dev/context": "gcp"}],
                         [i["metadata"]["annotations"] for i in answer["items"]])

    def test_one_that_would_fill_the_memory_pauses_and_goes_on(self):
        # A list keeps the order of the contexts: gcp's pages, 1 MB each, wait for aws, and 4 MB are the most that may wait.
        pages, asked = 12, threading.Semaphore(0)

        def page(request):
            n = int(request.query.get("continue", 0))
            asked.release()
            answer = listing(*[actor(f"{n}-{i}", annotations={"text": "x" * 10000}) for i in range(100)])
            if n + 1 < pages:
                answer["metadata"]["continue"] = str(n + 1)
            return Answer(answer)

        def first(request):
            for _ in range(5):
                self.assertTrue(asked.acquire(timeout=RUN_TIMEOUT))
            return Answer(listing(actor("hello")))
        self.apis["gcp"].on("GET", ACTORS, page)
        self.apis["aws"].on("GET", ACTORS, first)
        got = self.run_cli("get", "wa", "--all-contexts", "-o", "json")
        self.assertEqual((0, ""), (got.code, got.err))
        self.assertEqual([("aws", "hello")] + [("gcp", f"{n}-{i}") for n in range(pages) for i in range(100)],
                         self.contexts(json.loads(got.out)["items"]))

    def test_names(self):
        self.expect("get wa --all-contexts -o name",
                    "aws   wasmactor.wasmctl.dev/hello-aws\ngcp   wasmactor.wasmctl.dev/hello-gcp\n")

    def test_lines_of_templates(self):
        self.expect(["get", "wa", "--all-contexts", "-o", "jsonpath={.items[*].metadata.name}"],
                    "aws   hello-aws\ngcp   hello-gcp\n")

    def test_values_as_one_json_object(self):
        self.expect(["get", "wa", "--contexts", "gcp,aws", "-o", "jsonpath-as-json={.items[*].metadata.name}"],
                    '{\n    "gcp": [\n        "hello-gcp"\n    ],\n    "aws": [\n        "hello-aws"\n    ]\n}\n')

    def test_custom_columns(self):
        self.expect("get wa --all-contexts -o custom-columns=N:.metadata.name,I:.spec.image",
                    "CONTEXT   N           I\naws       hello-aws   ghcr.io/example/hello:1\n"
                    "gcp       hello-gcp   ghcr.io/example/hello:1\n")

    def test_an_object_a_line(self):
        got = self.run_cli("get", "wa", "--all-contexts", "-o", "ndjson")
        self.assertEqual([("aws", "hello-aws"), ("gcp", "hello-gcp")], self.contexts(json.loads(l) for l in got.out.splitlines()))

    def test_csv_names_its_columns_once_whoever_answers_first(self):
        late = threading.Event()
        self.actors("gcp", "hello")

        def first(request):
            # Answers when the other one has.
            while not self.apis["gcp"].requests:
                late.wait(0.001)
            return Answer(table(row(actor("a,b"), "1/1", "i", "5m")))
        self.apis["aws"].on("GET", ACTORS, first)
        self.expect("get wa --all-contexts -o csv",
                    'CONTEXT,NAME,READY,IMAGE,AGE\naws,"a,b",1/1,i,5m\ngcp,hello,1/1,img,5m\n')

    def test_partial_list_is_valid(self):
        self.apis["aws"].on("GET", ACTORS, status(403, "Forbidden", "no"))
        got = self.run_cli("get", "wa", "--all-contexts", "-o", "json")
        self.assertEqual([("gcp", "hello-gcp")], self.contexts(json.loads(got.out)["items"]))
        self.assertEqual((1, "aws: Error from server (Forbidden): no\n"), (got.code, got.err))

    def test_describe(self):
        for name, api in self.apis.items():
            api.on("GET", ACTORS + "/hello", Answer(actor("hello")))
        got = self.run_cli("describe", "wa", "hello", "--contexts", "gcp,aws", "--show-events=false")
        self.assertEqual((0, ""), (got.code, got.err))
        first, second = got.out.split("\n\n\n")
        self.assertRegex(first, r"^Context: +gcp\nName: +hello\n")
        self.assertRegex(second, r"^Context: +aws\nName: +hello\n")

    def test_events(self):
        for name, api in self.apis.items():
            api.on("GET", "/api/v1/namespaces/default/events", Answer(listing(
                {"metadata": meta("e"), "type": "Normal", "reason": "Started", "message": "in " + name,
                 "involvedObject": {"kind": "WasmActor", "name": "hello"}, "lastTimestamp": "2026-01-02T03:04:05Z"}, kind="EventList")))
        got = self.run_cli("events", "--all-contexts")
        lines = got.out.splitlines()
        self.assertRegex(lines[0], "^CONTEXT   LAST SEEN   TYPE     REASON    OBJECT            MESSAGE$")
        self.assertEqual([["aws", "aws"], ["gcp", "gcp"]], [[l.split()[0], l.split()[-1]] for l in lines[1:]])


class Faults(FleetTest):
    def test_each_fault_is_named_and_hides_nobody(self):
        self.fleet("aws", "dead", "slow", "login", "denied", "rubbish", "zurich")
        self.actors("aws", "hello")
        self.actors("zurich", "hallo")
        self.apis["login"].on("GET", ACTORS, status(401, "Unauthorized", "Unauthorized"))
        self.apis["denied"].on("GET", ACTORS, status(403, "Forbidden", "you shall not"))
        self.apis["rubbish"].on("GET", ACTORS, Answer("<html>hello</html>", content_type="text/html"))
        began = time.monotonic()
        got = self.run_cli("get", "wa", "--all-contexts", "--request-timeout=2s")
        print(f"with a slow context of a deadline of 2 s: {time.monotonic() - began:.2f} s")
        self.assertEqual("CONTEXT   NAME    READY   AGE\naws       hello   1/1     5m\nzurich    hallo   1/1     5m\n", got.out)
        self.assertEqual(1, got.code)
        lines = got.err.splitlines()
        self.assertIn("denied: Error from server (Forbidden): you shall not", lines)
        self.assertEqual(1, sum(line.startswith("rubbish: ") for line in lines))
        start = lines.index("4 of 7 contexts answered")
        self.assertEqual(f"  dead: {REFUSED.format(self.dead)}", lines[start + 1])
        self.assertRegex(lines[start + 2], rf"^  slow: Unable to connect to the server: no complete answer from {self.slow}")
        self.assertEqual('  login: error: You must be logged in to the server (Unauthorized; user "u" of the kubeconfig has no credentials)',
                         lines[start + 3])

    def test_one_fault_takes_one_line(self):
        self.fleet("aws", "dead")
        self.actors("aws", "hello")
        rows = "CONTEXT   NAME    READY   AGE\naws       hello   1/1     5m\n"
        summary = f"1 of 2 contexts answered; dead: {REFUSED.format(self.dead)}\n"
        self.expect("get wa --all-contexts", rows, summary, 1)
        self.expect("get wa --all-contexts --allow-partial", rows, summary, 0)

    def test_partial_needs_one_success(self):
        self.fleet("dead1", "dead2")
        got = self.run_cli("get", "wa", "--all-contexts", "--allow-partial")
        self.assertEqual((1, ""), (got.code, got.out))
        self.assertTrue(got.err.startswith("0 of 2 contexts answered\n  dead1: "), got.err)

    def test_what_is_there_is_shown_while_others_are_awaited(self):
        self.fleet("slow", "aws")
        self.actors("aws", "hello")
        process = self.start_cli("get", "wa", "--all-contexts")
        lines = self.lines(process)
        self.assertEqual(["CONTEXT", "NAME", "READY", "AGE"], lines.get(timeout=RUN_TIMEOUT).split())
        self.assertEqual(["aws", "hello", "1/1", "5m"], lines.get(timeout=RUN_TIMEOUT).split())
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, process.wait(RUN_TIMEOUT))

    def test_fail_fast_gives_the_others_up(self):
        self.fleet("slow", "denied")
        self.apis["denied"].on("GET", ACTORS, status(403, "Forbidden", "no"))
        self.expect("get wa --all-contexts --fail-fast",
                    err="denied: Error from server (Forbidden): no\n1 of 2 contexts answered; slow: given up\n", code=1)

    def test_a_context_that_cannot_be_resolved_fails_alone(self):
        self.fleet("aws", "gcp")
        self.actors("aws", "hello")
        path = self.env["KUBECONFIG"]
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("context: {cluster: gcp,", "context: {cluster: nowhere,"))
        got = self.run_cli("get", "wa", "--all-contexts")
        self.assertEqual(1, got.code)
        self.assertIn("aws       hello", got.out)
        self.assertRegex(got.err, r"^1 of 2 contexts answered; gcp: .*nowhere.*\n$")

    def test_on_a_terminal_who_is_awaited_is_told(self):
        self.fleet("aws", "slow")
        self.actors("aws", "hello")
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen([WASMCTL, "get", "wa", "--all-contexts"], stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal,
                                   env=self.env)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(terminal)
        text = b""
        while b"still waiting for: slow" not in text:
            self.assertTrue(select.select([master], [], [], RUN_TIMEOUT)[0], text)
            text += os.read(master, 1000)
        self.assertNotIn(b"aws", text)


class Writes(FleetTest):
    def setUp(self):
        super().setUp()
        self.fleet("aws", "gcp")

    def test_apply_reads_its_files_once(self):
        for name, api in self.apis.items():
            api.on("PATCH", ACTORS + "/hello", lambda r: Answer(actor("hello")))
            api.on("PATCH", ACTORS + "/todo", lambda r: Answer(actor("todo")))
        manifest = json.dumps(actor("hello")) + "\n---\n" + json.dumps(actor("todo"))
        self.expect("apply -f - --all-contexts",
                    "aws   wasmactor.wasmctl.dev/hello serverside-applied\naws   wasmactor.wasmctl.dev/todo serverside-applied\n"
                    "gcp   wasmactor.wasmctl.dev/hello serverside-applied\ngcp   wasmactor.wasmctl.dev/todo serverside-applied\n",
                    stdin=manifest)
        for api in self.apis.values():
            self.assertEqual(["hello", "todo"], [json.loads(r.body)["metadata"]["name"] for r in api.requests])

    def test_a_wrong_file_is_told_once_and_sends_nothing(self):
        path = self.write("x.yaml", "kind: WasmActor\n")
        got = self.run_cli("apply", "-f", path, "--all-contexts")
        self.assertEqual((1, ""), (got.code, got.out))
        self.assertEqual(f"error: {path}:1: the object has no apiVersion\n", got.err)
        for api in self.apis.values():
            self.assertEqual([], api.requests)

    def test_namespaces_are_those_of_the_contexts(self):
        path = self.env["KUBECONFIG"]
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("{cluster: gcp, user: u}", "{cluster: gcp, user: u, namespace: other}"))
        self.apis["aws"].on("PATCH", ACTORS + "/hello", Answer(actor("hello")))
        self.apis["gcp"].on("PATCH", API + "/namespaces/other/wasmactors/hello", Answer(actor("hello", "other")))
        o = actor("hello")
        del o["metadata"]["namespace"]
        self.expect("apply -f - --all-contexts", "aws   wasmactor.wasmctl.dev/hello serverside-applied\n"
                    "gcp   wasmactor.wasmctl.dev/hello serverside-applied\n", stdin=json.dumps(o))

    def test_one_refusal_among_two(self):
        self.apis["aws"].on("PATCH", ACTORS + "/hello", Answer(actor("hello")))
        self.apis["gcp"].on("PATCH", ACTORS + "/hello", status(403, "Forbidden", "no"))
        got = self.run_cli("apply", "-f", "-", "--all-contexts", stdin=json.dumps(actor("hello")))
        self.assertEqual((1, "aws   wasmactor.wasmctl.dev/hello serverside-applied\n"), (got.code, got.out))
        self.assertRegex(got.err, "^gcp: Error from server \\(Forbidden\\): .*no\n$")

    def test_delete_and_wait(self):
        for api in self.apis.values():
            api.on("DELETE", ACTORS + "/hello", Answer({"kind": "Status", "status": "Success"}))
            api.on("GET", ACTORS + "/hello", Answer(actor("hello", status_={"conditions": [{"type": "Ready", "status": "True"}]})))
        self.expect("wait --for=condition=Ready wa/hello --all-contexts",
                    "aws   wasmactor.wasmctl.dev/hello condition met\ngcp   wasmactor.wasmctl.dev/hello condition met\n")
        self.expect("delete wa hello --all-contexts",
                    'aws   wasmactor.wasmctl.dev "hello" deleted from default namespace\n'
                    'gcp   wasmactor.wasmctl.dev "hello" deleted from default namespace\n')


    def test_rollout_status_tells_what_happens_where(self):
        def at(updated, reason):
            return actor("hello", spec={"image": "i", "replicas": 2}, generation=2, status_={
                "observedGeneration": 2, "replicas": 2, "updatedReplicas": updated, "readyReplicas": 2,
                "conditions": [{"type": "Progressing", "status": "False" if reason == "Complete" else "True", "reason": reason},
                               {"type": "Ready", "status": "True", "reason": "Ready"}]})
        go_on = threading.Event()
        for name, api in self.apis.items():
            def changes():
                go_on.wait(RUN_TIMEOUT)
                yield json.dumps({"type": "MODIFIED", "object": {**at(2, "Complete"), "metadata": {
                    **at(2, "Complete")["metadata"], "resourceVersion": "9"}}}).encode() + b"\n"
                threading.Event().wait(RUN_TIMEOUT)
            api.on("GET", ACTORS + "/hello", Answer(at(1, "Updating")))
            api.on("GET", ACTORS, lambda r, c=changes: Answer(chunks=c()) if "watch" in r.query else Answer(listing(at(1, "Updating"))))
        process = self.start_cli("rollout", "status", "wa/hello", "--all-contexts")
        lines = self.lines(process)
        waits = 'Waiting for wasmactor "hello" rollout to finish: 1 out of 2 new replicas have been updated...'
        done = 'wasmactor "hello" successfully rolled out'
        self.assertEqual({f"aws   {waits}", f"gcp   {waits}"}, {lines.get(timeout=RUN_TIMEOUT), lines.get(timeout=RUN_TIMEOUT)})
        go_on.set()
        self.assertEqual({f"aws   {done}", f"gcp   {done}"}, {lines.get(timeout=RUN_TIMEOUT), lines.get(timeout=RUN_TIMEOUT)})
        self.assertEqual(0, process.wait(RUN_TIMEOUT))


class Logins(FleetTest):
    def test_one_run_of_a_plugin_serves_all(self):
        runs = os.path.join(self.dir, "runs")
        plugin = self.write("plugin", f"""#!/bin/sh
echo run >> {runs}
echo '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"t1"}}}}'
""")
        os.chmod(plugin, stat.S_IRWXU)
        self.fleet("aws", "gcp", "az", users=f"""- name: u
  user:
    exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin}, interactiveMode: Never}}
""")
        for name, api in self.apis.items():
            self.actors(name, "hello")
        got = self.run_cli("get", "wa", "--all-contexts")
        self.assertEqual((0, "", 4), (got.code, got.err, len(got.out.splitlines())))
        with open(runs) as f:
            self.assertEqual(1, len(f.readlines()))
        for api in self.apis.values():
            self.assertEqual("Bearer t1", api.requests[0].headers["Authorization"])


class Watches(FleetTest):
    def watched(self, name, first):
        """Lists `first`, then sends what is put into the queue; None ends the stream."""
        changes = queue.Queue()

        def stream():
            while True:
                change = changes.get()
                if change is None:
                    return
                yield json.dumps(change).encode() + b"\n"

        def handle(request):
            if "watch" in request.query:
                return Answer(chunks=stream())
            return Answer(table(*[row(actor(n), "1/1", "i", "5m") for n in first]))
        self.apis[name].on("GET", ACTORS, handle)
        self.addCleanup(changes.put, None)
        return changes

    def change(self, name, ready, version):
        o = actor(name)
        o["metadata"]["resourceVersion"] = version
        return {"type": "MODIFIED", "object": table(row(o, ready, "i", "6m"))}

    def test_one_stream(self):
        self.fleet("aws", "gcp")
        streams = {name: self.watched(name, ["hello"]) for name in self.apis}
        process = self.start_cli("get", "wa", "-w", "--all-contexts")
        lines = self.lines(process)
        self.assertEqual("CONTEXT   NAME    READY   AGE", lines.get(timeout=RUN_TIMEOUT))
        self.assertEqual({"aws       hello   1/1     5m", "gcp       hello   1/1     5m"},
                         {lines.get(timeout=RUN_TIMEOUT), lines.get(timeout=RUN_TIMEOUT)})
        streams["gcp"].put(self.change("hello", "0/1", "20"))
        self.assertEqual("gcp       hello   0/1     6m", lines.get(timeout=RUN_TIMEOUT))
        streams["aws"].put(self.change("hello", "2/2", "21"))
        self.assertEqual("aws       hello   2/2     6m", lines.get(timeout=RUN_TIMEOUT))
        process.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, process.wait(RUN_TIMEOUT))

    def test_one_that_cannot_be_reached_is_told_and_comes_by_itself(self):
        self.fleet("aws", "dead")
        self.watched("aws", ["hello"])
        process = self.start_cli("get", "wa", "-w", "--all-contexts")
        lines = self.lines(process)
        self.assertEqual("CONTEXT   NAME    READY   AGE", lines.get(timeout=RUN_TIMEOUT))
        self.assertEqual("aws       hello   1/1     5m", lines.get(timeout=RUN_TIMEOUT))
        self.assertEqual(f"dead: {REFUSED.format(self.dead)}; trying again\n", process.stderr.readline())
        api = FakeApi.__new__(FakeApi)
        api.routes, api.requests, api.lock = {}, [], threading.Lock()
        api.server = Server(("127.0.0.1", int(self.dead.rsplit(":", 1)[1])), Handler)
        api.server.api, api.port = api, api.server.server_address[1]
        self.apis["dead"] = api
        self.watched("dead", ["back"])
        threading.Thread(target=api.server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(api.close)
        self.assertEqual("dead      back    1/1     5m", lines.get(timeout=RUN_TIMEOUT))
        self.assertEqual("dead: watching wasmactors now\n", process.stderr.readline())

    def test_all_unreachable_is_an_error(self):
        self.fleet("dead1", "dead2")
        got = self.run_cli("get", "wa", "-w", "--all-contexts")
        self.assertEqual((1, ""), (got.code, got.out))
        self.assertIn("0 of 2 contexts answered\n  dead1: ", got.err)

    def test_one_that_goes_away_is_told(self):
        self.fleet("aws", "gcp")
        self.watched("aws", ["hello"])
        changes = self.watched("gcp", ["hello"])
        process = self.start_cli("get", "wa", "-w", "--all-contexts")
        lines = self.lines(process)
        for _ in range(3):
            lines.get(timeout=RUN_TIMEOUT)
        self.apis["gcp"].on("GET", ACTORS, status(503, "ServiceUnavailable", "shutting down"))
        changes.put(None)
        self.assertRegex(process.stderr.readline(), "^gcp: watch of wasmactors interrupted .*trying again\n$")
        self.watched("gcp", ["hello"])
        self.assertEqual("gcp: watch of wasmactors goes on\n", process.stderr.readline())

    def test_objects(self):
        self.fleet("aws", "gcp")
        for name, api in self.apis.items():
            def handle(request):
                return Answer(chunks=iter(())) if "watch" in request.query else Answer(listing(actor("hello")))
            api.on("GET", ACTORS, handle)
        process = self.start_cli("get", "wa", "-w", "--all-contexts", "-o", "json")
        decoder, text, seen = json.JSONDecoder(), "", set()
        while len(seen) < 2:
            text += process.stdout.readline()
            try:
                o, end = decoder.raw_decode(text)
            except ValueError:
                continue
            text = text[end:].lstrip()
            seen.add(o["metadata"]["annotations"]["wasmctl.dev/context"])
        self.assertEqual({"aws", "gcp"}, seen)


class Many(FleetTest):
    def test_hundred_contexts(self):
        # As many servers would need as many threads here: all contexts lead to one.
        api, names = self.api, [f"c{i:03}" for i in range(100)]
        api.on("GET", ACTORS, Answer(table(row(actor("hello"), "1/1", "img", "5m"))))
        text = (f"apiVersion: v1\nkind: Config\ncurrent-context: c000\nclusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:{api.port}\"}}}}]\n"
                "users: [{name: u, user: {}}]\ncontexts:\n" + "".join(f"- {{name: {n}, context: {{cluster: c, user: u}}}}\n" for n in names))
        self.env["KUBECONFIG"] = self.write("many", text)
        script = f'ulimit -Sn 256; exec "{WASMCTL}" get wa --all-contexts --no-headers'
        got = self.run_cli("-c", script, program="/bin/sh")
        self.assertEqual((0, ""), (got.code, got.err))
        # Whoever answers later than the others is shown later.
        self.assertEqual(names, sorted(line.split()[0] for line in got.out.splitlines()))


if __name__ == "__main__":
    main()
