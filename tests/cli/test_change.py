"""wasmctl label, annotate and patch against a scripted API server."""
from harness import *

HELLO = ACTORS + "/hello"
LINE = "wasmactor.wasmctl.dev/hello {}\n".format


class Change(CliTest):
    def serve(self, labels=None, annotations=None):
        """An object that takes merge patches as the server does, with the version checked."""
        state = {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor",
                 "metadata": meta("hello", labels=labels or {}, annotations=annotations or {}, resourceVersion="7"),
                 "spec": {"replicas": 1}}

        def merge(into, patch):
            for key, value in patch.items():
                if value is None:
                    into.pop(key, None)
                elif isinstance(value, dict):
                    merge(into.setdefault(key, {}), value)
                else:
                    into[key] = value

        def patch(request):
            wanted = request.json()["metadata"].get("resourceVersion")
            if wanted and wanted != state["metadata"]["resourceVersion"]:
                return status(409, "Conflict", "the object has been modified", name="hello")
            merge(state, request.json())
            return Answer(state)

        self.api.on("GET", HELLO, lambda r: Answer(state))
        self.api.on("PATCH", HELLO, patch)
        return state


class Label(Change):
    def test_set_and_remove(self):
        state = self.serve({"old": "1"})
        self.expect("label wa hello tier=web old-", LINE("labeled"))
        self.assertEqual({"tier": "web"}, state["metadata"]["labels"])
        self.assertEqual({"metadata": {"labels": {"tier": "web", "old": None}, "resourceVersion": "7"}},
                         self.requests("PATCH")[0].json())
        self.assertEqual({"fieldManager": "wasmctl"}, self.requests("PATCH")[0].query)
        self.expect("label wa hello tier-", LINE("unlabeled"))
        self.expect("label wa hello tier-", 'label "tier" not found.\n' + LINE("not labeled"))

    def test_a_value_is_kept_without_overwrite(self):
        state = self.serve({"tier": "web"})
        self.expect("label wa/hello tier=db", err="error: 'tier' already has a value (web), and --overwrite is false\n", code=1)
        self.assertEqual([], self.requests("PATCH"))
        self.expect("label wa/hello tier=web", LINE("not labeled"))
        self.expect("label wa/hello tier=db --overwrite", LINE("labeled"))
        self.assertEqual({"metadata": {"labels": {"tier": "db"}}}, self.requests("PATCH")[-1].json())
        self.assertEqual("db", state["metadata"]["labels"]["tier"])

    def test_a_value_set_meanwhile_is_kept_too(self):
        state = self.serve()
        take = self.api.on

        def other_first(request):
            state["metadata"].update(labels={"tier": "theirs"}, resourceVersion="8")
            return status(409, "Conflict", "the object has been modified", name="hello")

        take("PATCH", HELLO, other_first)
        self.expect("label wa hello tier=ours",
                    err="error: 'tier' already has a value (theirs), and --overwrite is false\n", code=1)
        self.assertEqual("theirs", state["metadata"]["labels"]["tier"])
        self.assertEqual(1, len(self.requests("PATCH")))

    def test_endless_conflicts_end(self):
        self.serve()
        self.api.on("PATCH", HELLO, status(409, "Conflict", "the object has been modified", name="hello"))
        got = self.run_cli("label", "wa", "hello", "a=b")
        self.assertEqual((1, "Error from server (Conflict): the object has been modified\n"), (got.code, got.err))
        self.assertEqual(5, len(self.requests("PATCH")))

    def test_a_given_version_is_not_tried_again(self):
        self.serve()
        got = self.run_cli("label", "wa", "hello", "a=b", "--resource-version=6")
        self.assertEqual(1, got.code)
        self.assertIn("(Conflict)", got.err)
        self.assertEqual(1, len(self.requests("PATCH")))

    def test_dry_runs(self):
        state = self.serve()
        self.expect("label wa hello a=b --dry-run=client", LINE("labeled (dry run)"))
        self.assertEqual([], self.requests("PATCH"))
        self.expect("label wa hello a=b --dry-run=server", LINE("labeled (server dry run)"))
        self.assertEqual("All", self.requests("PATCH")[0].query["dryRun"])
        self.assertEqual({"a": "b"}, state["metadata"]["labels"])

    def test_list(self):
        self.serve({"a": "1\x1b[2J", "b": "2"})
        self.expect("label wa hello --list", "a=1\\x1b[2J\nb=2\n")

    def test_wrong_values(self):
        for value in ("-x", "x-", "a b", "x" * 64, "a=b"):
            got = self.run_cli("label", "wa", "hello", "key=" + value)
            self.assertEqual(1, got.code, value)
            self.assertIn("invalid label", got.err)
        self.assertEqual([], self.requests())

    def test_values_at_the_limit(self):
        state = self.serve()
        self.expect("label wa hello a= b=" + "x" * 63, LINE("labeled"))
        self.assertEqual({"a": "", "b": "x" * 63}, state["metadata"]["labels"])


class Annotate(Change):
    def test_any_text_is_a_value(self):
        state = self.serve()
        got = self.run_cli("annotate", "wa", "hello", "note=two words = three\nlines")
        self.assertEqual((0, LINE("annotated")), (got.code, got.out))
        self.assertEqual("two words = three\nlines", state["metadata"]["annotations"]["note"])

    def test_values_are_kept_but_for_the_change_cause(self):
        cause = "kubernetes.io/change-cause"
        state = self.serve(annotations={"a": "1", "b": "2", cause: "old"})
        self.expect("annotate wa hello a=x b=y", code=1, err="error: --overwrite is false but found the following declared "
                    "annotation(s): 'a' already has a value (1); 'b' already has a value (2)\n")
        self.expect(f"annotate wa hello {cause}=new", LINE("annotated"))
        self.assertEqual("new", state["metadata"]["annotations"][cause])


class Patch(Change):
    def test_types(self):
        self.serve()
        self.api.on("PATCH", HELLO, lambda r: Answer({"kind": "WasmActor", "metadata": meta("hello")}))
        for kind, patch, sent in (("merge", "spec: {replicas: 2}", {"spec": {"replicas": 2}}),
                                  ("json", '[{"op": "remove", "path": "/spec/replicas"}]',
                                   [{"op": "remove", "path": "/spec/replicas"}])):
            got = self.run_cli("patch", "wa", "hello", "--type=" + kind, "-p", patch)
            self.assertEqual((0, LINE("patched")), (got.code, got.out), got.err)
            request = self.requests("PATCH")[-1]
            self.assertEqual(f"application/{kind}-patch+json", request.headers["Content-Type"])
            self.assertEqual(sent, request.json())

    def test_no_change_is_said(self):
        self.serve()
        self.api.on("PATCH", HELLO, lambda r: self.api.handle(self.requests("GET")[-1]))
        self.expect("patch wa hello --type=merge -p {}", LINE("patched (no change)"))

    def test_strategic_is_refused_for_custom_resources(self):
        self.serve()
        self.api.on("PATCH", HELLO, status(415, "UnsupportedMediaType", "unknown format"))
        self.expect("patch wa hello -p {}", code=1, err="error: application/strategic-merge-patch+json is not supported by "
                    "wasmctl.dev/v1alpha1, Kind=WasmActor: unknown format; use --type=merge or --type=json\n")

    def test_patch_file_and_dry_run(self):
        self.serve()
        self.api.on("PATCH", HELLO, lambda r: Answer({"kind": "WasmActor", "metadata": meta("hello")}))
        self.write("p.yaml", "spec: {replicas: 3}\n")
        for how, words in (("server", "patched (server dry run)"), ("client", "patched (dry run)")):
            self.expect("patch wa hello --type=merge --patch-file p.yaml --dry-run=" + how, LINE(words))
            self.assertEqual("All", self.requests("PATCH")[-1].query["dryRun"])

    def test_wrong_patches(self):
        for patch, kind in (("[]", "merge"), ("{}", "json"), ("a: [", "merge"), ("--- {}\n--- {}\n", "merge"), ("text", "merge")):
            got = self.run_cli("patch", "wa", "hello", "--type=" + kind, "-p", patch)
            self.assertEqual(1, got.code, patch)
            self.assertIn("error:", got.err)
        self.assertEqual([], self.requests())


if __name__ == "__main__":
    main()
