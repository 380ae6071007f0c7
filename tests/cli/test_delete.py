"""wasmctl delete, wait and scale against a scripted API server."""
import json
import queue

from harness import *


def deleted(name):
    return Answer({"kind": "Status", "apiVersion": "v1", "status": "Success", "details": {"name": name, "uid": "uid-" + name}})


def ending(name):
    return Answer(actor(name, deletionTimestamp="2026-01-02T03:04:06Z", finalizers=["wasmctl.dev/lattice-cleanup"]))


class Delete(CliTest):
    def test_gone_at_once(self):
        self.api.on("DELETE", ACTORS + "/hello", deleted("hello"))
        self.expect("delete wasmactor hello", 'wasmactor.wasmctl.dev "hello" deleted from default namespace\n')
        body = self.requests("DELETE")[0].json()
        self.assertEqual("Background", body["propagationPolicy"])
        self.assertNotIn("gracePeriodSeconds", body)
        self.assertEqual(1, len(self.requests()))

    def test_cluster_scoped_and_options(self):
        self.api.on("DELETE", API + "/lattices/x", deleted("x"))
        self.expect("delete lattice/x --wait=false --now --cascade=foreground", 'lattice.wasmctl.dev "x" deleted\n')
        body = self.requests("DELETE")[0].json()
        self.assertEqual(("Foreground", 1), (body["propagationPolicy"], body["gracePeriodSeconds"]))
        self.assertEqual(1, len(self.requests()))

    def test_waits_for_finalizers(self):
        watches = queue.Queue()
        here = actor("hello")

        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return watches.get(timeout=RUN_TIMEOUT)
            return Answer(listing(here))
        self.api.on("DELETE", ACTORS + "/hello", ending("hello"))
        self.api.on("GET", ACTORS + "/hello", Answer(here))
        self.api.on("GET", ACTORS, actors)
        process = self.start_cli("delete", "wa", "hello")
        self.assertEqual('wasmactor.wasmctl.dev "hello" deleted from default namespace\n', process.stdout.readline())
        self.assertIsNone(process.poll())
        watches.put(Answer(chunks=[json.dumps({"type": "DELETED", "object": here}).encode() + b"\n"]))
        self.assertEqual(0, process.wait(RUN_TIMEOUT))

    def test_timeout_names_the_object(self):
        here = actor("hello")

        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return Answer(chunks=[])
            return Answer(listing(here))
        self.api.on("DELETE", ACTORS + "/hello", ending("hello"))
        self.api.on("GET", ACTORS + "/hello", Answer(here))
        self.api.on("GET", ACTORS, actors)
        self.expect("delete wa hello --timeout=100ms", 'wasmactor.wasmctl.dev "hello" deleted from default namespace\n',
                    "error: timed out waiting for the condition on wasmactors/hello\n", 1)

    def test_another_object_of_the_name_is_not_waited_for(self):
        other = actor("hello")
        other["metadata"]["uid"] = "another"
        self.api.on("DELETE", ACTORS + "/hello", ending("hello"))
        self.api.on("GET", ACTORS + "/hello", Answer(other))
        self.expect("delete wa hello", 'wasmactor.wasmctl.dev "hello" deleted from default namespace\n')

    def test_by_label(self):
        self.api.on("GET", ACTORS, Answer(listing(actor("a"), actor("b"))))
        for name in "ab":
            self.api.on("DELETE", f"{ACTORS}/{name}", deleted(name))
        self.expect("delete wa -l app=x --wait=false", 'wasmactor.wasmctl.dev "a" deleted from default namespace\n'
                    'wasmactor.wasmctl.dev "b" deleted from default namespace\n')
        self.assertEqual("app=x", self.requests("GET")[0].query["labelSelector"])
        self.expect("delete wa --all --wait=false -o name", "wasmactor.wasmctl.dev/a\nwasmactor.wasmctl.dev/b\n")

    def test_nothing_found(self):
        self.api.on("GET", ACTORS, Answer(listing()))
        self.expect("delete wa -l app=x", "No resources found\n")

    def test_missing(self):
        self.api.on("DELETE", ACTORS + "/b", not_found("wasmactors.wasmctl.dev", "b"))
        self.expect("delete wa b", err='Error from server (NotFound): wasmactors.wasmctl.dev "b" not found\n', code=1)
        self.expect("delete wa b --ignore-not-found")

    def test_files(self):
        self.write("x.yaml", "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: a}\n---\n"
                             "apiVersion: wasmctl.dev/v1alpha1\nkind: Lattice\nmetadata: {name: l}\n")
        self.api.on("DELETE", ACTORS + "/a", deleted("a"))
        self.api.on("DELETE", API + "/lattices/l", deleted("l"))
        self.expect("delete -f x.yaml", 'wasmactor.wasmctl.dev "a" deleted from default namespace\nlattice.wasmctl.dev "l" deleted\n')

    def test_dry_runs(self):
        self.api.on("DELETE", ACTORS + "/a", Answer(actor("a")))
        self.expect("delete wa a --dry-run=client", 'wasmactor.wasmctl.dev "a" deleted from default namespace (dry run)\n')
        self.assertEqual([], self.requests())
        self.expect("delete wa a --dry-run=server", 'wasmactor.wasmctl.dev "a" deleted from default namespace (server dry run)\n')
        self.assertEqual(["All"], self.requests("DELETE")[0].json()["dryRun"])

    def test_wrong_use(self):
        hint = "See 'wasmctl delete --help' for usage.\n"
        for args, message in (("delete wa", "resource(s) were provided, but no name was specified"),
                              ("delete wa a -l x=y", "name cannot be provided when a selector is specified"),
                              ("delete wa --all -l x=y", "cannot set --all and --selector at the same time"),
                              ("delete wa a --now --grace-period=3", "--now and --grace-period cannot be specified together"),
                              ("delete wa/a wa", "there is no need to specify a resource type as a separate argument when passing "
                               "arguments in resource/name form (e.g. 'wasmctl delete resource/<resource_name>' instead of "
                               "'wasmctl delete resource resource/<resource_name>')")):
            self.expect(args, err=f"error: {message}\n{hint}", code=1)
        self.assertEqual([], self.requests())


class Wait(CliTest):
    def conditions(self, status_, generation=1, observed=1):
        return actor("hello", generation=generation, status_={"observedGeneration": observed, "readyReplicas": 2, "conditions": [
            {"type": "Ready", "status": status_, "reason": "NoHost", "message": "no host matches"}]})

    def test_condition_holds_already(self):
        self.api.on("GET", ACTORS + "/hello", Answer(self.conditions("True")))
        self.expect("wait --for=condition=Ready wa/hello", "wasmactor.wasmctl.dev/hello condition met\n")
        self.expect("wait --for=condition=ready=true wa hello -o name", "wasmactor.wasmctl.dev/hello\n")
        self.expect("wait --for=jsonpath={.status.readyReplicas}=2 --for=jsonpath={.status.conditions[0].reason} wa/hello",
                    "wasmactor.wasmctl.dev/hello condition met\n")

    def test_condition_comes(self):
        watches = queue.Queue()

        def actors(request):
            if request.query.get("watch") in ("1", "true"):
                return watches.get(timeout=RUN_TIMEOUT)
            return Answer(listing(self.conditions("False")))
        self.api.on("GET", ACTORS + "/hello", Answer(self.conditions("False")))
        self.api.on("GET", ACTORS, actors)
        watches.put(Answer(chunks=[json.dumps({"type": "MODIFIED", "object": self.conditions("True")}).encode() + b"\n"]))
        self.expect("wait --for=condition=Ready wa/hello", "wasmactor.wasmctl.dev/hello condition met\n")

    def test_timeout_says_what_was_seen(self):
        self.api.on("GET", ACTORS + "/hello", Answer(self.conditions("False")))
        self.expect("wait --for=condition=Ready wa/hello --timeout=0", code=1,
                    err="error: condition not met for wasmactors/hello "
                        "(Ready is False: NoHost: no host matches)\n")

    def test_an_old_status_does_not_count(self):
        self.api.on("GET", ACTORS + "/hello", Answer(self.conditions("True", generation=2, observed=1)))
        self.assertEqual(1, self.run_cli("wait", "--for=condition=Ready", "wa/hello", "--timeout=0").code)

    def test_absent_objects(self):
        self.api.on("GET", ACTORS + "/hello", not_found("wasmactors.wasmctl.dev", "hello"))
        self.expect("wait --for=delete wa/hello")
        self.expect("wait --for=condition=Ready wa/hello", code=1,
                    err='Error from server (NotFound): wasmactors.wasmctl.dev "hello" not found\n')
        self.api.on("GET", ACTORS, Answer(listing()))
        self.expect("wait --for=condition=Ready wa --all", err="error: no matching resources found\n", code=1)

    def test_wrong_use(self):
        self.expect("wait --for=sunshine wa/hello", err='error: unrecognized condition: "sunshine"\n', code=1)
        self.assertEqual(1, self.run_cli("wait", "wa/hello").code)
        self.assertIn("unterminated filter", self.run_cli("wait", "--for=jsonpath={.a[?(@.b==1]}=2", "wa/hello").err)


class Scale(CliTest):
    def test_scale(self):
        self.api.on("PATCH", ACTORS + "/hello/scale", lambda r: Answer(dict(r.json(), metadata=meta("hello"))))
        self.expect("scale --replicas=3 wa/hello", "wasmactor.wasmctl.dev/hello scaled\n")
        self.assertEqual(3, self.requests()[0].json()["spec"]["replicas"])

    def test_precondition(self):
        self.api.on("GET", ACTORS + "/hello/scale", Answer({"kind": "Scale", "metadata": meta("hello"), "spec": {"replicas": 3}}))
        self.expect("scale --current-replicas=2 --replicas=4 wa hello", err="error: Expected replicas to be 2, was 3\n", code=1)
        self.assertEqual([], self.requests("PATCH"))


if __name__ == "__main__":
    main()
