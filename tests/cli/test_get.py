"""wasmctl get against a scripted API server."""
import json
import queue
import signal

from harness import *


class Tables(CliTest):
    def test_table_of_a_namespace_takes_one_request(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("hello"), "1/1", "img:1", "5m"),
                                                row(actor("todo-list"), "0/3", "img:2", "47h"))))
        self.expect("get wasmactors", "NAME        READY   AGE\nhello       1/1     5m\ntodo-list   0/3     47h\n")
        self.assertEqual(1, len(self.requests()))
        request = self.requests()[0]
        self.assertIn("as=Table", request.headers["Accept"])
        self.assertEqual("500", request.query["limit"])

    def test_names_of_the_kind(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("hello"), "1/1", "img:1", "5m"))))
        for word in ("wa", "actor", "wasmactor", "WasmActor", "wasmactors.wasmctl.dev",
                     "wasmactors.v1alpha1.wasmctl.dev"):
            self.expect(["get", word], "NAME    READY   AGE\nhello   1/1     5m\n")

    def test_wide_and_no_headers(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("hello"), "1/1", "img:1", "5m"))))
        self.expect("get wa -o wide", "NAME    READY   IMAGE   AGE\nhello   1/1     img:1   5m\n")
        self.expect("get wa --no-headers", "hello   1/1   5m\n")

    def test_labels(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("hello", labels={"app": "x", "a/tier": "web"}), "1/1", "i", "5m"))))
        self.expect("get wa --show-labels", "NAME    READY   AGE   LABELS\nhello   1/1     5m    a/tier=web,app=x\n")
        self.expect("get wa -L a/tier,zone", "NAME    READY   AGE   TIER   ZONE\nhello   1/1     5m    web    \n")

    def test_all_namespaces(self):
        self.api.on("GET", API + "/wasmactors", Answer(table(row(actor("hello", "a"), "1/1", "i", "5m"),
                                                             row(actor("hello", "long-one"), "1/1", "i", "6m"))))
        self.expect("get wa -A", "NAMESPACE   NAME    READY   AGE\na           hello   1/1     5m\nlong-one    hello   1/1     6m\n")

    def test_selectors_go_to_the_server(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("hello"), "1/1", "i", "5m"))))
        self.run_cli("get", "wa", "-l", "a=b,c in (d,e)", "--field-selector", "metadata.name=hello", "--chunk-size=7")
        query = self.requests()[0].query
        self.assertEqual(("a=b,c in (d,e)", "metadata.name=hello", "7"),
                         (query["labelSelector"], query["fieldSelector"], query["limit"]))

    def test_namespace_of_option_and_context(self):
        for namespace, args in (("x", "get wa -n x"), ("x", "-n x get wa"), ("elsewhere", "get wa --context other"),
                                ("y", "get wa --context=other -ny")):
            self.api.on("GET", f"{API}/namespaces/{namespace}/wasmactors", Answer(table()))
            self.expect(args, err=f"No resources found in {namespace} namespace.\n")

    def test_nothing_found(self):
        self.api.on("GET", ACTORS, Answer(table()))
        self.api.on("GET", API + "/wasmactors", Answer(table()))
        self.api.on("GET", API + "/latticehosts", Answer(table()))
        self.expect("get wa", err="No resources found in default namespace.\n")
        self.expect("get wa -A", err="No resources found\n")
        self.expect("get lh", err="No resources found\n")
        self.expect("get wa --ignore-not-found")

    def test_pages(self):
        def page(request):
            if "continue" in request.query:
                return Answer(table(row(actor("b"), "1/1", "i", "6m"), columns=False))
            return Answer(table(row(actor("a-long-name"), "1/1", "i", "5m"), continued="more"))
        self.api.on("GET", ACTORS, page)
        self.expect("get wa", "NAME          READY   AGE\na-long-name   1/1     5m\nb             1/1     6m\n")

    def test_several_kinds(self):
        self.api.on("GET", ACTORS, Answer(table(row(actor("hello"), "1/1", "i", "5m"))))
        self.api.on("GET", API + "/latticehosts", Answer(table(row(actor("nabc"), "True", "i", "5m"))))
        self.expect("get wa,lh", "NAME                          READY   AGE\nwasmactor.wasmctl.dev/hello   1/1     5m\n\n"
                                 "NAME                           READY   AGE\nlatticehost.wasmctl.dev/nabc   True    5m\n")

    def test_several_names_and_missing_ones(self):
        self.api.on("GET", ACTORS + "/a", Answer(table(row(actor("a"), "1/1", "i", "5m"))))
        self.api.on("GET", ACTORS + "/b", not_found("wasmactors.wasmctl.dev", "b"))
        self.api.on("GET", ACTORS + "/c", Answer(table(row(actor("c"), "1/1", "i", "5m"), columns=False)))
        rows = "NAME   READY   AGE\na      1/1     5m\nc      1/1     5m\n"
        missing = 'Error from server (NotFound): wasmactors.wasmctl.dev "b" not found\n'
        self.expect("get wa a b c", rows, missing, 1)
        self.expect("get wa/a wa/b wa/c", rows, missing, 1)
        self.expect("get wa a b c --ignore-not-found", rows)

    def test_kind_that_is_not_installed(self):
        self.expect("get wa", err='error: the server doesn\'t have a resource type "wasmactors"; install the kinds of wasmctl '
                                  'first: wasmctl install --crds\n', code=1)


class WholeObjects(CliTest):
    def test_one_object_yaml(self):
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello", managedFields=[{"manager": "x"}])))
        self.expect("get wa hello -o yaml", "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata:\n"
                    "  creationTimestamp: \"2026-01-02T03:04:05Z\"\n  name: hello\n  namespace: default\n"
                    "  resourceVersion: \"5\"\n  uid: uid-hello\nspec:\n  image: ghcr.io/example/hello:1\n")
        self.assertIn("managedFields", self.run_cli("get", "wa", "hello", "-oyaml", "--show-managed-fields").out)

    def test_list_json_completes_items(self):
        item = actor("hello")
        del item["kind"], item["apiVersion"]
        self.api.on("GET", ACTORS, Answer(listing(item)))
        got = json.loads(self.expect("get wa -o json", self.run_cli("get", "wa", "-o", "json").out).out)
        self.assertEqual(("List", "v1"), (got["kind"], got["apiVersion"]))
        self.assertEqual(("WasmActor", "wasmctl.dev/v1alpha1"), (got["items"][0]["kind"], got["items"][0]["apiVersion"]))

    def test_names(self):
        self.api.on("GET", ACTORS, Answer(listing(actor("a"), actor("b"))))
        self.expect("get wa -o name", "wasmactor.wasmctl.dev/a\nwasmactor.wasmctl.dev/b\n")
        self.assertIn("PartialObjectMetadataList", self.requests()[0].headers["Accept"])

    def test_empty_list(self):
        self.api.on("GET", ACTORS, Answer(listing()))
        self.expect("get wa -o yaml", "apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: \"\"\n")

    def test_missing_object(self):
        self.api.on("GET", ACTORS + "/b", not_found("wasmactors.wasmctl.dev", "b"))
        self.expect("get wa b -o yaml", err='Error from server (NotFound): wasmactors.wasmctl.dev "b" not found\n', code=1)
        self.expect("get wa b -o yaml --ignore-not-found")

    def test_raw(self):
        self.api.on("GET", "/healthz", Answer("ok", content_type="text/plain"))
        self.expect("get --raw /healthz", "ok")

    def test_file(self):
        self.api.on("GET", ACTORS + "/hello", Answer(table(row(actor("hello"), "1/1", "i", "5m"))))
        self.write("hello.yaml", "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: hello}\n")
        self.expect("get -f hello.yaml", "NAME    READY   AGE\nhello   1/1     5m\n")


class Watches(CliTest):
    """The watch goes on when the server ends it, and after 410, without a lost or repeated change."""

    def event(self, kind, name, version, ready):
        o = actor(name)
        o["metadata"]["resourceVersion"] = version
        return (json.dumps({"type": kind, "object": table(row(o, ready, "i", "5m"), columns=False)}) + "\n").encode()

    def test_changes_after_the_list(self):
        watches = queue.Queue()
        lists = queue.Queue()

        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return watches.get(timeout=RUN_TIMEOUT)
            return lists.get(timeout=RUN_TIMEOUT)

        self.api.on("GET", ACTORS, actors)
        hello, gone = actor("hello"), actor("gone")
        lists.put(Answer(table(row(hello, "0/1", "i", "5m"), row(gone, "1/1", "i", "5m"))))
        # The server ends the first watch after one change, the second with 410.
        watches.put(Answer(chunks=[self.event("MODIFIED", "hello", "11", "1/1")]))
        watches.put(Answer(chunks=[json.dumps({"type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
            "message": "too old resource version"}}).encode() + b"\n"]))
        # Then: hello as known, "gone" has vanished meanwhile, "new" has come.
        known = actor("hello")
        known["metadata"]["resourceVersion"] = "11"
        lists.put(Answer(table(row(known, "1/1", "i", "5m"), row(actor("new"), "0/1", "i", "1s"), version="20")))
        watches.put(Answer(chunks=[self.event("MODIFIED", "new", "21", "1/1")]))
        self.run_watch(watches, "get", "wa", "-w", "--output-watch-events", expected=[
            "EVENT      NAME    READY   AGE",
            "ADDED      hello   0/1     5m",
            "ADDED      gone    1/1     5m",
            "MODIFIED   hello   1/1     5m",
            "ADDED      new     0/1     1s",
            "DELETED    gone    1/1     5m",
            "MODIFIED   new     1/1     5m",
        ])

    def run_watch(self, watches, *args, expected):
        process = self.start_cli(*args)
        got = [process.stdout.readline().rstrip("\n") for _ in expected]
        self.assertEqual([" ".join(line.split()) for line in expected], [" ".join(line.split()) for line in got])
        process.terminate()
        self.assertEqual(-15, process.wait(RUN_TIMEOUT))
        watches.put(Answer(chunks=[]))

    def test_watch_of_json_documents(self):
        watches = queue.Queue()

        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return watches.get(timeout=RUN_TIMEOUT)
            return Answer(listing(actor("hello")))
        self.api.on("GET", ACTORS, actors)
        changed = actor("hello")
        changed["metadata"]["resourceVersion"] = "11"
        watches.put(Answer(chunks=[(json.dumps({"type": "MODIFIED", "object": changed}) + "\n").encode()]))
        process = self.start_cli("get", "wa", "-w", "-o", "name")
        self.assertEqual("wasmactor.wasmctl.dev/hello\n", process.stdout.readline())
        self.assertEqual("wasmactor.wasmctl.dev/hello\n", process.stdout.readline())
        watches.put(Answer(chunks=[]))

    def test_interrupt(self):
        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return blocked.get(timeout=RUN_TIMEOUT)
            return Answer(table(row(actor("hello"), "1/1", "i", "5m")))
        blocked = queue.Queue()
        self.api.on("GET", ACTORS, actors)
        process = self.start_cli("get", "wa", "-w")
        self.assertTrue(process.stdout.readline().startswith("NAME"))
        process.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, process.wait(RUN_TIMEOUT))  # 130 for a shell
        blocked.put(Answer(chunks=[]))

    def test_a_server_that_refuses_is_an_error(self):
        self.api.on("GET", ACTORS, status(403, "Forbidden", "wasmactors.wasmctl.dev is forbidden: no", kind="wasmactors"))
        self.expect("get wa -w", err="Error from server (Forbidden): wasmactors.wasmctl.dev is forbidden: no\n", code=1)

    def test_missing_object_ends_the_watch_at_once(self):
        self.api.on("GET", ACTORS + "/b", not_found("wasmactors.wasmctl.dev", "b"))
        self.expect("get wa b -w", err='Error from server (NotFound): wasmactors.wasmctl.dev "b" not found\n', code=1)


if __name__ == "__main__":
    main()
