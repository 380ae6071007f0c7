"""The verbs that change objects, against a scripted API server."""
import signal
import stat

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



MANIFEST = "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: hello}\nspec: {replicas: 2}\n"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


class Folder(Change):
    """Nothing is left behind in the folder for temporary files."""

    def setUp(self):
        super().setUp()
        self.tmp = os.path.join(self.dir, "tmp")
        os.mkdir(self.tmp)
        self.env["TMPDIR"] = self.tmp

    def left(self):
        return sorted(os.listdir(self.tmp))


class Replace(Change):
    def test_another_version_is_replaced_too(self):
        state = self.serve()
        versions = iter(["8", "9"])

        def put(request):
            if request.json()["metadata"]["resourceVersion"] == "7":
                state["metadata"]["resourceVersion"] = next(versions)
                return status(409, "Conflict", "the object has been modified", name="hello")
            return Answer(request.json())
        self.api.on("PUT", HELLO, put)
        self.write("x.yaml", MANIFEST)
        self.expect("replace -f x.yaml", LINE("replaced"))
        self.assertEqual(["7", "8"], [r.json()["metadata"]["resourceVersion"] for r in self.requests("PUT")])

    def test_a_version_that_is_named_is_meant(self):
        self.serve()
        self.api.on("PUT", HELLO, status(409, "Conflict", "the object has been modified", name="hello"))
        self.write("x.yaml", MANIFEST.replace("name: hello", "name: hello, resourceVersion: '3'"))
        got = self.run_cli("replace", "-f", "x.yaml")
        self.assertEqual((1, 'Error from server (Conflict): error when replacing "x.yaml": the object has been modified\n'),
                         (got.code, got.err))
        self.assertEqual(1, len(self.requests("PUT")))

    def test_force_deletes_nothing_when_a_file_is_missing(self):
        self.serve()
        self.write("x.yaml", MANIFEST)
        self.expect("replace --force -f x.yaml -f nope.yaml", err='error: the path "nope.yaml" does not exist\n', code=1)
        self.assertEqual([], self.requests())

    def test_force_creates_nothing_while_something_is_left(self):
        here = self.serve()
        self.api.on("DELETE", HELLO, lambda r: Answer(here))
        self.api.on("GET", ACTORS, lambda r: Answer(chunks=[]) if "watch" in r.query else Answer(listing(here)))
        self.write("x.yaml", MANIFEST)
        got = self.run_cli("replace", "--force", "-f", "x.yaml", "--timeout=100ms")
        self.assertEqual((1, "error: timed out waiting for the condition on wasmactors/hello\n"), (got.code, got.err))
        self.assertEqual([], self.requests("POST"))

    def test_connection_lost(self):
        self.serve()
        self.api.on("PUT", HELLO, Answer(chunks=[b'{"kind": "Wasm'], content_type="application/json"))
        self.write("x.yaml", MANIFEST)
        got = self.run_cli("replace", "-f", "x.yaml")
        self.assertEqual((1, ""), (got.code, got.out))
        self.assertEqual(1, len(self.requests("PUT")))


class Prune(Change):
    def serve_configmaps(self, *objects):
        def managed(name, manager, **more):
            return {"metadata": meta(name, managedFields=[{"manager": manager, "operation": "Apply"}], **more)}
        items = [managed(*o) if isinstance(o, tuple) else o for o in objects]
        self.api.on("GET", CONFIGMAPS, Answer(listing(*items, kind="ConfigMapList")))
        for item in items:
            self.api.on("DELETE", CONFIGMAPS + "/" + item["metadata"]["name"],
                        Answer({"kind": "Status", "status": "Success"}))
        self.api.on("PATCH", CONFIGMAPS + "/a", lambda r: Answer(r.json()))
        self.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app: x}}\n")

    def test_only_what_we_applied_and_is_not_there(self):
        ending = {"metadata": meta("ending", deletionTimestamp="2026-01-02T03:04:06Z",
                                   managedFields=[{"manager": "wasmctl", "operation": "Apply"}])}
        updated = {"metadata": meta("updated", managedFields=[{"manager": "wasmctl", "operation": "Update"}])}
        self.serve_configmaps(("a", "wasmctl"), ("old", "wasmctl"), ("theirs", "argo"), ending, updated,
                              {"metadata": meta("unmanaged")})
        self.expect("apply -f a.yaml --prune -l app=x --prune-allowlist=core/v1/ConfigMap",
                    "configmap/a serverside-applied\nconfigmap/old pruned\n")
        self.assertEqual([CONFIGMAPS + "/old"], [r.path for r in self.requests("DELETE")])
        self.assertEqual({"uid": "uid-old"}, self.requests("DELETE")[0].json()["preconditions"])
        self.assertEqual("app=x", [r for r in self.requests("GET") if r.path == CONFIGMAPS][0].query["labelSelector"])

    def test_what_the_selector_left_out_stays(self):
        self.serve_configmaps(("a", "wasmctl"), ("b", "wasmctl"))
        self.write("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n")
        self.expect("apply -f a.yaml -f b.yaml --prune -l app=x --prune-allowlist=core/v1/ConfigMap",
                    "configmap/a serverside-applied\n")
        self.assertEqual([], self.requests("DELETE"))

    def test_nothing_goes_when_something_fails(self):
        self.serve_configmaps(("a", "wasmctl"), ("old", "wasmctl"))
        self.api.on("PATCH", CONFIGMAPS + "/a", status(422, "Invalid", 'ConfigMap "a" is invalid: no', name="a", kind="ConfigMap"))
        got = self.run_cli("apply", "-f", "a.yaml", "--prune", "--all", "--prune-allowlist=core/v1/ConfigMap")
        self.assertEqual(1, got.code)
        self.assertIn("Nothing was pruned", got.err)
        self.assertEqual([], self.requests("DELETE"))

    def test_dry_runs(self):
        self.serve_configmaps(("a", "wasmctl"), ("old", "wasmctl"))
        for how, text in (("client", "dry run"), ("server", "server dry run")):
            self.expect("apply -f a.yaml --prune --all --prune-allowlist=core/v1/ConfigMap --dry-run=" + how,
                        f"configmap/a serverside-applied ({text})\nconfigmap/old pruned ({text})\n")
        self.assertEqual([["All"]], [r.json().get("dryRun") for r in self.requests("DELETE")])

    def test_everything_must_be_said(self):
        self.serve_configmaps(("a", "wasmctl"))
        got = self.run_cli("apply", "-f", "a.yaml", "--prune")
        self.assertEqual(1, got.code)
        self.assertIn("all resources selected for prune without explicitly passing --all", got.err)
        self.assertEqual([], self.requests())


class Conflicts(Change):
    def test_the_values_are_told(self):
        self.serve()
        causes = [{"reason": "FieldManagerConflict", "message": 'conflict with "scaler" using v1', "field": ".spec.replicas"}]
        answer = status(409, "Conflict", "Apply failed with 1 conflict")
        answer.body["details"] = {"causes": causes}
        self.api.on("PATCH", HELLO, answer)
        self.write("x.yaml", MANIFEST)
        got = self.run_cli("apply", "-f", "x.yaml")
        self.assertEqual(1, got.code)
        self.assertIn('  .spec.replicas is managed by "scaler": it is 1, your manifest says 2\n', got.err)


class Diff(Folder):
    def serve_diff(self, replicas=2):
        state = self.serve()

        def apply(request):
            self.assertEqual("All", request.query["dryRun"])
            return Answer({**state, "spec": {"replicas": replicas}})
        self.api.on("PATCH", HELLO, apply)
        self.write("x.yaml", MANIFEST)
        return state

    def test_exit_codes(self):
        self.serve_diff()
        got = self.run_cli("diff", "-f", "x.yaml")
        self.assertEqual((1, ""), (got.code, got.err))
        self.assertIn("-  replicas: 1\n+  replicas: 2\n", got.out)
        self.serve_diff(replicas=1)
        self.expect("diff -f x.yaml")
        self.api.on("PATCH", HELLO, status(403, "Forbidden", "no"))
        self.assertEqual(2, self.run_cli("diff", "-f", "x.yaml").code)
        self.assertEqual(2, self.run_cli("diff", "--wrong").code)
        self.env["KUBECTL_EXTERNAL_DIFF"] = "no-such-program"
        self.assertEqual(2, self.run_cli("diff", "-f", "x.yaml").code)
        self.assertEqual([], self.left())

    def test_external_program(self):
        self.serve_diff()
        script = self.write("bin/mydiff", "#!/bin/sh\necho \"$3 $4\"; ls -l \"$1\" | tail -n 1; ls -ld \"$2\"; exit 1\n")
        os.chmod(script, 0o755)
        self.env["KUBECTL_EXTERNAL_DIFF"] = script + " --word=1 -x 'no;no'"
        got = self.run_cli("diff", "-f", "x.yaml")
        self.assertEqual(1, got.code)
        self.assertIn("--word=1 -x\n", got.out)
        self.assertIn("wasmctl.dev.v1alpha1.WasmActor.default.hello", got.out)
        self.assertIn("drwx------", got.out)

    def test_secrets_are_hidden(self):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta("s"), "data": {"a": "b25l", "b": "dHdv"}}
        path = "/api/v1/namespaces/default/secrets/s"
        self.api.on("GET", path, Answer(secret))
        self.api.on("PATCH", path, Answer({**secret, "data": {"a": "dW5v", "c": "dHdv"}}))
        self.write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: dW5v}\n")
        got = self.run_cli("diff", "-f", "s.yaml")
        self.assertEqual(1, got.code)
        self.assertIn("-  a: '*** (before)'\n-  b: '***'\n+  a: '*** (after)'\n+  c: '***'\n", got.out)
        for value in ("b25l", "dHdv", "dW5v"):
            self.assertNotIn(value, got.out)

    def test_changed_while_it_is_compared(self):
        state = self.serve_diff(replicas=1)
        answers = iter([{**state, "metadata": {**state["metadata"], "resourceVersion": "8"}, "spec": {"replicas": 5}}, state])
        self.api.on("PATCH", HELLO, lambda r: Answer(next(answers)))
        self.expect("diff -f x.yaml")
        self.assertEqual(2, len(self.requests("PATCH")))

    def test_interrupted(self):
        self.serve_diff()
        asked, go_on = threading.Event(), threading.Event()

        def slow(request):
            asked.set()
            go_on.wait(RUN_TIMEOUT)
            return Answer({})
        self.api.on("PATCH", HELLO, slow)
        process = self.start_cli("diff", "-f", "x.yaml")
        self.assertTrue(asked.wait(RUN_TIMEOUT))
        self.assertEqual(2, len(self.left()))
        process.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, process.wait(RUN_TIMEOUT))
        go_on.set()
        self.assertEqual([], self.left())

    def test_no_room_for_files(self):
        self.serve_diff()
        self.env["TMPDIR"] = os.path.join(self.dir, "nowhere")
        got = self.run_cli("diff", "-f", "x.yaml")
        self.assertEqual(2, got.code)
        self.assertIn("cannot make a folder for temporary files", got.err)
        self.assertEqual([], self.requests())


class Edit(Folder):
    def edit(self, editor, *args):
        self.env["KUBE_EDITOR"] = editor
        return self.run_cli("edit", "wa", "hello", *args)

    def script(self, text):
        path = self.write("bin/editor", "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def kept(self):
        self.assertEqual(1, len(self.left()))
        path = os.path.join(self.tmp, self.left()[0])
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
        with open(path) as f:
            return path, f.read()

    def test_a_change(self):
        state = self.serve()
        got = self.edit("sed -i 's/replicas: 1/replicas: 3/'")
        self.assertEqual((0, LINE("edited"), ""), (got.code, got.out, got.err))
        self.assertEqual({"spec": {"replicas": 3}, "metadata": {"resourceVersion": "7"}}, self.requests("PATCH")[0].json())
        self.assertEqual([], self.left())
        self.assertEqual(3, state["spec"]["replicas"])

    def test_no_change(self):
        self.serve()
        for editor, message in (("true", "Edit cancelled, no changes made.\n"),
                                ("sed -i 1i#hello", "Edit cancelled, no changes made.\n"),
                                ("truncate -s 0", "Edit cancelled, saved file was empty.\n")):
            got = self.edit(editor)
            self.assertEqual((0, "", message), (got.code, got.out, got.err))
        self.assertEqual([], self.left() + self.requests("PATCH"))

    def test_editors(self):
        self.serve()
        self.env["EDITOR"] = "false"
        self.assertEqual(0, self.edit("true").code)
        self.env["KUBE_EDITOR"] = ""
        got = self.run_cli("edit", "wa", "hello")
        self.assertEqual((1, 'error: there was a problem with the editor "false" (exit code 1)\n'), (got.code, got.err))
        self.assertEqual([], self.left())

    def test_what_was_typed_survives_the_editor(self):
        self.serve()
        got = self.edit(self.script("sed -i 's/replicas: 1/replicas: 3/' \"$1\"; exit 1\n"))
        path, text = self.kept()
        self.assertEqual(1, got.code)
        self.assertIn(path, got.err)
        self.assertIn("replicas: 3", text)

    def test_a_mistake_is_shown_in_the_file(self):
        self.serve()
        seen = os.path.join(self.dir, "seen")
        editor = self.script(f'cat "$1" >> {seen}\nif grep -q mistake "$1"; then sed -i "s/replicas: .*/replicas: 4/" "$1"; '
                             'else sed -i "s/replicas: .*/replicas: [/" "$1"; fi\n')
        got = self.edit(editor)
        self.assertEqual((0, LINE("edited")), (got.code, got.out))
        with open(seen) as f:
            self.assertRegex(f.read(), r"# The edited file has a mistake:\n# \* the text below:\d+:\d+: ")
        self.assertEqual(4, self.requests("PATCH")[-1].json()["spec"]["replicas"])
        self.assertEqual([], self.left())

    def test_what_the_server_refuses(self):
        self.serve()
        answer = status(422, "Invalid", 'WasmActor.wasmctl.dev "hello" is invalid: spec.replicas: must be small', name="hello",
                        kind="WasmActor")
        answer.body["details"]["causes"] = [{"field": "spec.replicas", "message": "must be small"}]
        self.api.on("PATCH", HELLO, answer)
        got = self.edit("sed -i 's/replicas: 1/replicas: 99/'")
        path, text = self.kept()
        self.assertEqual(1, got.code)
        self.assertIn(f'A copy of your changes has been stored to "{path}"\n'
                      "error: Edit cancelled, no valid changes were saved.\n", got.err)
        self.assertIn("# wasmactors.wasmctl.dev/hello was not valid:\n# * spec.replicas: must be small\n", text)
        self.assertIn("replicas: 99", text)
        self.assertEqual(1, len(self.requests("PATCH")))

    def test_others_changed_other_fields(self):
        state = self.serve()
        patch = self.api.routes[("PATCH", HELLO)]

        def first(request):
            state["metadata"].update(resourceVersion="8", labels={"by": "others"})
            self.api.on("PATCH", HELLO, patch)
            return patch(request)
        self.api.on("PATCH", HELLO, first)
        got = self.edit("sed -i 's/replicas: 1/replicas: 3/'")
        self.assertEqual((0, LINE("edited"), ""), (got.code, got.out, got.err))
        self.assertEqual((3, {"by": "others"}), (state["spec"]["replicas"], state["metadata"]["labels"]))

    def clash(self):
        state = self.serve()
        patch = self.api.routes[("PATCH", HELLO)]

        def first(request):
            state["metadata"]["resourceVersion"] = "8"
            state["spec"]["replicas"] = 7
            self.api.on("PATCH", HELLO, patch)
            return patch(request)
        self.api.on("PATCH", HELLO, first)
        return state

    def test_others_changed_the_same_field(self):
        state = self.clash()
        seen = os.path.join(self.dir, "seen")
        got = self.edit(self.script(f'cat "$1" >> {seen}\nsed -i "s/replicas: 1/replicas: 3/" "$1"\n'))
        self.assertEqual((0, LINE("edited")), (got.code, got.out))
        with open(seen) as f:
            self.assertIn("# * spec.replicas: was 1, is now 7\n# Save the file to keep your values", f.read())
        self.assertEqual(3, state["spec"]["replicas"])

    def test_leaving_without_saving_gives_way(self):
        state = self.clash()
        got = self.edit(self.script('grep -q meanwhile "$1" || sed -i "s/replicas: 1/replicas: 3/" "$1"\n'))
        self.assertEqual(1, got.code)
        self.assertEqual(7, state["spec"]["replicas"])
        self.assertIn("replicas: 3", self.kept()[1])

    def test_connection_lost(self):
        self.serve()
        self.api.on("PATCH", HELLO, Answer(chunks=[b"{"]))
        got = self.edit("sed -i 's/replicas: 1/replicas: 3/'")
        path, text = self.kept()
        self.assertEqual(1, got.code)
        self.assertIn(path, got.err)
        self.assertIn("replicas: 3", text)

    def test_interrupted_while_it_is_sent(self):
        self.serve()
        asked, go_on = threading.Event(), threading.Event()

        def slow(request):
            asked.set()
            go_on.wait(RUN_TIMEOUT)
            return Answer({})
        self.api.on("PATCH", HELLO, slow)
        self.env["KUBE_EDITOR"] = "sed -i 's/replicas: 1/replicas: 3/'"
        process = self.start_cli("edit", "wa", "hello")
        self.assertTrue(asked.wait(RUN_TIMEOUT))
        process.send_signal(signal.SIGINT)
        message = process.stderr.read()
        self.assertEqual(-signal.SIGINT, process.wait(RUN_TIMEOUT))
        go_on.set()
        path, text = self.kept()
        self.assertIn(path, message)
        self.assertIn("replicas: 3", text)

    def test_no_room_for_the_file(self):
        self.serve()
        self.env["TMPDIR"] = os.path.join(self.dir, "nowhere")
        got = self.edit("true")
        self.assertEqual(1, got.code)
        self.assertIn("cannot make a file to edit", got.err)

    def test_names_cannot_be_changed(self):
        self.serve()
        got = self.edit("sed -i 's/name: hello/name: other/'")
        self.assertEqual((1, []), (got.code, self.requests("PATCH")))
        self.assertIn("is none of the objects being edited", got.err)

    def test_json(self):
        state = self.serve()
        got = self.edit("sed -i 's/\"replicas\": 1/\"replicas\": 3/'", "-o", "json")
        self.assertEqual((0, LINE("edited"), 3), (got.code, got.out, state["spec"]["replicas"]))

    def test_several_at_once(self):
        self.serve()
        other = actor("other", spec={"replicas": 1})
        self.api.on("GET", ACTORS + "/other", Answer(other))
        self.env["KUBE_EDITOR"] = self.script('sed -i "0,/replicas: 1/s//replicas: 3/" "$1"\n')
        self.expect("edit wa hello other", LINE("edited") + "wasmactor.wasmctl.dev/other skipped\n")
        self.assertEqual([HELLO], [r.path for r in self.requests("PATCH")])


class Taint(Change):
    HOST = API + "/latticehosts/nabc"

    def serve_host(self, *taints):
        host = {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "LatticeHost", "metadata": meta("nabc", None, resourceVersion="1"),
                "spec": {"taints": list(taints)}, "status": {"friendlyName": "lucky-1"}}
        self.api.on("GET", API + "/latticehosts", Answer(listing(host, kind="LatticeHostList")))
        self.api.on("GET", self.HOST, lambda r: Answer(host))

        def patch(request):
            if request.json()["metadata"]["resourceVersion"] != host["metadata"]["resourceVersion"]:
                return status(409, "Conflict", "modified", name="nabc")
            host["spec"]["taints"] = request.json()["spec"]["taints"] or []
            return Answer(host)
        self.api.on("PATCH", self.HOST, patch)
        return host

    def test_by_friendly_name(self):
        drain = {"key": "wasmctl.dev/drain", "effect": "NoExecute"}
        host = self.serve_host(drain)
        self.expect("taint lh lucky-1 gpu=yes:NoSchedule", "latticehost.wasmctl.dev/nabc tainted\n")
        self.assertEqual([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, drain], host["spec"]["taints"])
        self.expect("taint lh lucky-1 gpu=no:NoSchedule", code=1,
                    err="error: latticehost nabc already has gpu taint(s) with same effect(s) and --overwrite is false\n")
        self.expect("taint lh lucky-1 gpu-", "latticehost.wasmctl.dev/nabc untainted\n")
        self.assertEqual([drain], host["spec"]["taints"])

    def test_a_taint_set_meanwhile_stays(self):
        host = self.serve_host()
        patch = self.api.routes[("PATCH", self.HOST)]

        def first(request):
            host["metadata"]["resourceVersion"] = "2"
            host["spec"]["taints"] = [{"key": "theirs", "effect": "NoSchedule"}]
            self.api.on("PATCH", self.HOST, patch)
            return patch(request)
        self.api.on("PATCH", self.HOST, first)
        self.expect("taint lh --all ours:NoExecute", "latticehost.wasmctl.dev/nabc tainted\n")
        self.assertEqual({"ours", "theirs"}, {t["key"] for t in host["spec"]["taints"]})


class SetImage(Change):
    def test_actors(self):
        state = self.serve()
        state["spec"]["image"] = "x:1"
        self.expect("set image wa/hello x:2", LINE("image updated"))
        self.expect("set image wa hello x:2")
        self.expect("set image wa hello c=x:3", code=1, err="error: a WasmActor has one image: give it alone (wasmctl set image "
                    "wasmactor/NAME IMAGE)\n")
        self.assertEqual(("x:2", 1), (state["spec"]["image"], len(self.requests("PATCH"))))


class Sources(Change):
    def setUp(self):
        super().setUp()
        self.api.on("PATCH", HELLO, lambda r: Answer(r.json()))
        self.url = f"http://127.0.0.1:{self.api.port}"

    def test_addresses(self):
        self.api.on("GET", "/files/hello.yaml", Answer(MANIFEST, content_type="text/plain"))
        self.api.on("GET", "/old", Answer("moved", 302, {"Location": "/files/hello.yaml"}, content_type="text/plain"))
        self.expect(f"apply -f {self.url}/old", LINE("serverside-applied"))
        self.assertEqual(["/old", "/files/hello.yaml"], [r.path for r in self.requests("GET")])
        self.assertNotIn("Authorization", self.requests("GET")[0].headers)

    def test_addresses_that_fail(self):
        self.expect(f"apply -f {self.url}/nope.yaml", code=1,
                    err=f'error: unable to read URL "{self.url}/nope.yaml", server reported status code=404\n')
        self.api.on("GET", "/broken", Answer("no", 500, content_type="text/plain"))
        got = self.run_cli("apply", "-f", self.url + "/broken")
        self.assertIn("status code=500", got.err)
        self.assertEqual(3, len([r for r in self.requests() if r.path == "/broken"]))
        self.api.on("GET", "/loop", Answer("", 302, {"Location": "/loop"}))
        self.assertEqual(1, self.run_cli("apply", "-f", self.url + "/loop").code)
        self.api.on("GET", "/page", Answer("<html><p>hello</html>", content_type="text/html"))
        self.assertEqual(1, self.run_cli("apply", "-f", self.url + "/page").code)
        self.assertEqual([], self.requests("PATCH"))

    def kustomize(self, name, text):
        os.chmod(self.write("bin/" + name, "#!/bin/sh\n" + text), 0o755)
        self.env["PATH"] = os.path.join(self.dir, "bin") + ":/bin:/usr/bin"

    def test_kustomize(self):
        self.write("x.yaml", MANIFEST)
        self.kustomize("kustomize", f'test "$1 $2 $3" = "build -- dir" && cat {self.dir}/x.yaml\n')
        self.expect("apply -k dir", LINE("serverside-applied"))
        self.kustomize("kustomize", "echo 'no kustomization' >&2; exit 1\n")
        self.expect("apply -k dir", code=1, err="no kustomization\nerror: kustomize build dir failed (exit code 1)\n")

    def test_kubectl_in_its_place(self):
        self.write("x.yaml", MANIFEST)
        self.kustomize("kubectl", f'test "$1" = kustomize && exec /bin/cat {self.dir}/x.yaml\n')
        self.env["PATH"] = os.path.join(self.dir, "bin")
        self.expect("apply -k dir", LINE("serverside-applied"))

    def test_no_kustomize(self):
        self.env["PATH"] = os.path.join(self.dir, "bin")
        got = self.run_cli("apply", "-k", "dir", program=os.path.abspath(WASMCTL))
        self.assertEqual(1, got.code)
        self.assertIn("neither kustomize nor kubectl is in PATH", got.err)


class Delete(Change):
    def test_asks_first(self):
        self.api.on("DELETE", HELLO, Answer({"kind": "Status", "status": "Success"}))
        question = ("You are about to delete the following 1 resource(s):\nwasmactor.wasmctl.dev/hello\n"
                    "Do you want to continue? (y/N): ")
        for answer in ("", "n\n", "yes please\n"):
            self.expect("delete wa hello -i", question + "deletion is cancelled\n", stdin=answer)
        self.assertEqual([], self.requests())
        self.expect("delete wa hello -i", question + 'wasmactor.wasmctl.dev "hello" deleted from default namespace\n', stdin="y\n")


if __name__ == "__main__":
    main()
