"""wasmctl apply, create and install against a scripted API server."""
import json

from harness import *

HELLO = """apiVersion: wasmctl.dev/v1alpha1
kind: WasmActor
metadata:
  name: hello
spec:
  image: ghcr.io/example/hello:1
"""
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def echo(request):
    return Answer(request.json())


class Apply(CliTest):
    def test_one_request_an_object(self):
        self.write("hello.yaml", HELLO)
        self.api.on("PATCH", ACTORS + "/hello", echo)
        self.expect("apply -f hello.yaml", "wasmactor.wasmctl.dev/hello serverside-applied\n")
        self.assertEqual(1, len(self.requests()))
        request = self.requests()[0]
        self.assertEqual("application/apply-patch+yaml", request.headers["Content-Type"])
        self.assertEqual({"fieldManager": "wasmctl", "force": "false", "fieldValidation": "Strict"}, request.query)
        self.assertEqual({"name": "hello", "namespace": "default"}, request.json()["metadata"])

    def test_options(self):
        self.write("hello.yaml", HELLO)
        self.api.on("PATCH", API + "/namespaces/x/wasmactors/hello", echo)
        self.expect("apply -f hello.yaml -n x --force-conflicts --dry-run=server --validate=warn --field-manager=me",
                    "wasmactor.wasmctl.dev/hello serverside-applied (server dry run)\n")
        self.assertEqual({"fieldManager": "me", "force": "true", "fieldValidation": "Warn", "dryRun": "All"},
                         self.requests()[0].query)

    def test_client_dry_run_sends_nothing(self):
        self.write("hello.yaml", HELLO)
        self.expect("apply -f hello.yaml --dry-run=client", "wasmactor.wasmctl.dev/hello serverside-applied (dry run)\n")
        self.expect("apply -f hello.yaml --dry-run=client -o yaml", HELLO.replace("  name: hello\n", "  name: hello\n"
                    "  namespace: default\n"))
        self.assertEqual([], self.requests())

    def test_standard_input_and_output_forms(self):
        self.api.on("PATCH", ACTORS + "/hello", echo)
        self.expect("apply -f - -o name", "wasmactor.wasmctl.dev/hello\n", stdin=HELLO)
        got = self.run_cli("apply", "-f", "-", "-o", "json", stdin=HELLO)
        self.assertEqual("hello", json.loads(got.out)["metadata"]["name"])

    def test_several_files_and_folders_in_order(self):
        for name in ("dir/b.yaml", "dir/a.yml", "dir/sub/c.json", "dir/note.txt"):
            self.write(name, json.dumps({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor",
                                         "metadata": {"name": name[-6] if name.endswith("json") else name[4]}}))
        self.write("two.yaml", HELLO + "---\n" + HELLO.replace("hello", "second"))
        for name in ("a", "b", "c", "hello", "second"):
            self.api.on("PATCH", f"{ACTORS}/{name}", echo)
        line = "wasmactor.wasmctl.dev/{} serverside-applied\n".format
        self.expect("apply -f two.yaml -f dir", "".join(map(line, ("hello", "second", "a", "b"))))
        self.expect("apply -R -f dir/", "".join(map(line, ("a", "b", "c"))))

    def test_a_failing_object_does_not_stop_the_others(self):
        self.write("two.yaml", HELLO + "---\n" + HELLO.replace("name: hello", "name: second"))
        self.api.on("PATCH", ACTORS + "/hello", status(403, "Forbidden", "no", name="hello"))
        self.api.on("PATCH", ACTORS + "/second", echo)
        self.expect("apply -f two.yaml", "wasmactor.wasmctl.dev/second serverside-applied\n",
                    'Error from server (Forbidden): error when applying wasmactors.wasmctl.dev/hello from "two.yaml": no\n', 1)

    def test_conflict_is_explained(self):
        self.write("hello.yaml", HELLO)
        answer = status(409, "Conflict", 'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .spec.image',
                        causes=[{"reason": "FieldManagerConflict", "message": 'conflict with "kubectl-edit" using v1',
                                 "field": ".spec.image"}])
        self.api.on("PATCH", ACTORS + "/hello", answer)
        got = self.run_cli("apply", "-f", "hello.yaml")
        self.assertEqual(1, got.code)
        self.assertTrue(got.err.startswith("error: wasmactors.wasmctl.dev/hello from hello.yaml: Apply failed with 1 conflict:\n"
                                           '  .spec.image is managed by "kubectl-edit"\n'), got.err)
        self.assertIn("--force-conflicts", got.err)

    def test_invalid_object(self):
        self.write("hello.yaml", HELLO)
        message = 'WasmActor.wasmctl.dev "hello" is invalid: spec.replicas: Invalid value: "string": must be integer'
        self.api.on("PATCH", ACTORS + "/hello", status(
            422, "Invalid", message, name="hello", group="wasmctl.dev", kind="WasmActor",
            causes=[{"reason": "FieldValueTypeInvalid", "message": 'Invalid value: "string": must be integer',
                     "field": "spec.replicas"}]))
        self.expect("apply -f hello.yaml", err='The WasmActor "hello" is invalid: spec.replicas: Invalid value: "string": must be integer\n', code=1)

    def test_a_crd_of_the_set_is_waited_for(self):
        self.write("set.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
                   "metadata: {name: cars.example.com}\nspec:\n  group: example.com\n  scope: Namespaced\n"
                   "  names: {kind: Car, plural: cars, singular: car}\n---\n"
                   "apiVersion: example.com/v1\nkind: Car\nmetadata: {name: mine}\n")
        crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": "cars.example.com", "resourceVersion": "1"}}
        ready = dict(crd, status={"conditions": [{"type": "Established", "status": "True"}]})
        ready["metadata"] = dict(crd["metadata"], resourceVersion="2")

        def crds(request):
            if request.query.get("watch") in ("1", "true"):
                return Answer(chunks=[json.dumps({"type": "MODIFIED", "object": ready}).encode() + b"\n"])
            return Answer({"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1",
                           "metadata": {"resourceVersion": "1"}, "items": [crd]})
        self.api.on("PATCH", CRDS + "/cars.example.com", Answer(crd))
        self.api.on("GET", CRDS, crds)
        self.api.on("PATCH", "/apis/example.com/v1/namespaces/default/cars/mine", echo)
        self.expect("apply -f set.yaml", "customresourcedefinition.apiextensions.k8s.io/cars.example.com serverside-applied\n"
                                         "car.example.com/mine serverside-applied\n")

    def test_warnings_of_the_server(self):
        self.write("hello.yaml", HELLO)
        self.api.on("PATCH", ACTORS + "/hello", lambda r: Answer(r.json(), headers={"Warning": '299 - "unknown field \\"spec.x\\""'}))
        self.expect("apply -f hello.yaml", "wasmactor.wasmctl.dev/hello serverside-applied\n",
                    'Warning: unknown field "spec.x"\n')


class BadInput(CliTest):
    def test_bad_yaml_names_file_line_and_column(self):
        self.write("bad.yaml", "apiVersion: v1\nkind: [\n")
        got = self.run_cli("apply", "-f", "bad.yaml")
        self.assertEqual(("", 1), (got.out, got.code))
        self.assertRegex(got.err, r"^error: bad\.yaml:[23]:\d+: ")

    def test_bad_file_does_not_hide_the_good_one(self):
        self.write("bad.yaml", "a: b: c\n")
        self.write("hello.yaml", HELLO)
        self.api.on("PATCH", ACTORS + "/hello", echo)
        got = self.run_cli("apply", "-f", "bad.yaml", "-f", "hello.yaml")
        self.assertEqual(("wasmactor.wasmctl.dev/hello serverside-applied\n", 1), (got.out, got.code))
        self.assertRegex(got.err, r"^error: bad\.yaml:1:\d+: ")

    def test_objects_that_are_none(self):
        for text, message in (("- a\n", "error: x.yaml:1: the document is no object\n"),
                              ("kind: A\n", "error: x.yaml:1: the object has no apiVersion\n"),
                              ("# c\n---\napiVersion: v1\n", "error: x.yaml:3: the object has no kind\n"),
                              ("", "error: no objects passed to apply\n"),
                              ("apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\n",
                               "error: x.yaml:1: the WasmActor has no metadata.name\n")):
            self.write("x.yaml", text)
            self.expect("apply -f x.yaml", err=message, code=1)

    def test_paths(self):
        self.expect("apply -f nope.yaml", err='error: the path "nope.yaml" does not exist\n', code=1)
        self.write("empty/x.txt", "")
        self.expect("apply -f empty", code=1,
                    err="error: error reading [empty]: recognized file extensions are [.json .yaml .yml]\n")

    def test_namespace_mismatch(self):
        self.write("x.yaml", HELLO.replace("  name: hello\n", "  name: hello\n  namespace: a\n"))
        self.expect("apply -f x.yaml -n b", code=1, err='error: the namespace from the provided object "a" does not match the '
                    "namespace \"b\". You must pass '--namespace=a' to perform this operation.\n")


class Create(CliTest):
    def test_create(self):
        self.write("hello.yaml", HELLO)
        self.api.on("POST", ACTORS, echo)
        self.expect("create -f hello.yaml", "wasmactor.wasmctl.dev/hello created\n")

    def test_exists(self):
        self.write("hello.yaml", HELLO)
        self.api.on("POST", ACTORS, status(409, "AlreadyExists", 'wasmactors.wasmctl.dev "hello" already exists', name="hello"))
        self.expect("create -f hello.yaml", code=1, err='Error from server (AlreadyExists): error when creating "hello.yaml": '
                    'wasmactors.wasmctl.dev "hello" already exists\n')


class Install(CliTest):
    def test_what_must_be_said(self):
        self.expect("install -o yaml", code=1,
                    err="error: -o yaml or json goes with --dry-run=client\nSee 'wasmctl install --help' for usage.\n")

    def test_dry_run_prints_the_definitions(self):
        got = self.run_cli("install", "--crds", "--dry-run")
        self.assertEqual((0, ""), (got.code, got.err))
        self.assertEqual(4, got.out.count("\nkind: CustomResourceDefinition\n"))
        self.assertEqual([], self.requests())

    def test_install_waits_until_the_kinds_are_served(self):
        names = [f"{n}.wasmctl.dev" for n in ("wasmactors", "wasmproviders", "lattices", "latticehosts")]
        for name in names:
            self.api.on("PATCH", f"{CRDS}/{name}", echo)

        def crds(request):
            if request.query.get("watch") in ("1", "true"):
                return Answer(chunks=[])
            name = request.query["fieldSelector"].removeprefix("metadata.name=")
            return Answer({"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1",
                           "metadata": {"resourceVersion": "1"},
                           "items": [{"metadata": {"name": name, "resourceVersion": "1"},
                                      "status": {"conditions": [{"type": "Established", "status": "True"}]}}]})
        self.api.on("GET", CRDS, crds)
        got = self.run_cli("install", "--crds")
        self.assertEqual((0, ""), (got.code, got.err))
        for name in names:
            self.assertIn(f"customresourcedefinition.apiextensions.k8s.io/{name} serverside-applied\n", got.out)


if __name__ == "__main__":
    main()
