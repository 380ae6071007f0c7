"""Discovery with its files, explain, auth, top, place and version against a scripted API server."""
import glob
import os
import stat
import threading
import time

from harness import *

TOYS = "/apis/toys.example/v1"
SIX_HOURS = 6 * 3600


def resource(plural, kind, **more):
    return {"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": "Namespaced",
            "singularResource": kind.lower(), "verbs": ["get", "list"], **more}


def groups(*named, kind="APIGroupDiscoveryList"):
    """named: (group, version, [resource...])"""
    return {"kind": kind, "apiVersion": "apidiscovery.k8s.io/v2",
            "items": [{"metadata": {"name": group},
                       "versions": [{"version": version, "freshness": "Current", "resources": list(resources)}]}
                      for group, version, resources in named]}


CORE = groups(("", "v1", [resource("endpoints", "Endpoints")]))
GADGETS = ("toys.example", "v1", [resource("gadgets", "Gadget", shortNames=["gg"], categories=["toys"],
                                           subresources=[{"subresource": "status"}])])
COGS = ("cogs.example", "v1", [resource("cogs", "Cog")])


def content(path):
    with open(path, "rb") as f:
        return f.read()


class Served(CliTest):
    def setUp(self):
        super().setUp()
        self.serve("/api", CORE, "core-1")
        self.serve("/apis", groups(GADGETS), "groups-1")
        for group, plural in (("toys.example", "gadgets"), ("cogs.example", "cogs")):
            self.api.on("GET", f"/apis/{group}/v1/namespaces/default/{plural}", Answer(table(row(actor("one"), "1/1", "i", "5m"))))

    def serve(self, path, body, etag):
        def answer(request):
            if request.headers.get("If-None-Match") == f'"{etag}"':
                return Answer("", 304)
            return Answer(body, headers={"ETag": f'"{etag}"'})
        self.api.on("GET", path, answer)

    def asked(self, *args, code=0):
        """The paths that were asked for by one run."""
        before = len(self.api.requests)
        got = self.run_cli(*args)
        self.assertEqual(code, got.code, got.err)
        return [r.path for r in self.api.requests[before:]]

    def files(self, pattern="*.json", folder=".kube/cache"):
        return sorted(glob.glob(os.path.join(self.dir, folder, "wasmctl-discovery", "*", pattern)))

    def make_old(self, seconds=SIX_HOURS + 60):
        for path in self.files():
            then = time.time() - seconds
            os.utime(path, (then, then))


class Discovery(Served):
    def test_the_next_process_needs_none(self):
        self.assertEqual(["/api", "/apis", TOYS + "/namespaces/default/gadgets"], self.asked("get", "gadgets"))
        for word in ("gadgets", "gg", "Gadget", "gadgets.toys.example"):
            self.assertEqual([TOYS + "/namespaces/default/gadgets"], self.asked("get", word))
        self.assertEqual([TOYS + "/namespaces/default/gadgets"], self.asked("get", "toys"))

    def test_after_six_hours_it_is_asked_whether_it_has_changed(self):
        self.asked("get", "gadgets")
        self.make_old()
        self.assertEqual(["/api", "/apis"], self.asked("get", "gadgets")[:2])
        self.assertEqual(['"core-1"', '"groups-1"'], [r.headers["If-None-Match"] for r in self.api.requests if "If-None-Match" in r.headers])
        self.assertEqual(1, len(self.asked("get", "gadgets")))
        self.make_old()
        self.serve("/apis", groups(COGS), "groups-2")
        self.assertEqual(["/api", "/apis"], self.asked("get", "gadgets", code=1))
        self.assertEqual(1, len(self.asked("get", "cogs")))

    def test_what_is_unknown_is_looked_for_once_more(self):
        self.asked("get", "gadgets")
        self.assertEqual(["/api", "/apis"], self.asked("get", "cogs", code=1))
        self.serve("/apis", groups(GADGETS, COGS), "groups-2")
        self.assertEqual(["/api", "/apis"], self.asked("get", "cogs")[:2])
        self.assertEqual(1, len(self.asked("get", "cogs")))

    def test_a_file_that_is_no_good_is_made_anew(self):
        self.asked("get", "gadgets")
        whole = {path: content(path) for path in self.files()}
        apis = next(p for p in whole if p.endswith("apis.json"))
        other = whole[apis].replace(b"http://127.0.0.1", b"http://127.0.0.9")

        def write(data):
            with open(apis, "wb") as f:
                f.write(data)

        def replaced_by_link():
            os.rename(apis, apis + ".real")
            os.symlink(apis + ".real", apis)

        for what, spoil in (
                ("cut off", lambda: write(whole[apis][:-10])), ("longer", lambda: write(whole[apis] + b" ")),
                ("changed", lambda: write(whole[apis].replace(b"gadgets", b"gidgets"))), ("empty", lambda: write(b"")),
                ("binary", lambda: write(bytes(range(256)) * 40)), ("head alone", lambda: write(b"wasmctl-cache 1 ")),
                ("another server's", lambda: write(other)), ("JSON alone", lambda: write(b'{"kind":"APIGroupDiscoveryList"}')),
                ("a link", replaced_by_link), ("others may write it", lambda: os.chmod(apis, 0o666)),
                ("from the future", lambda: os.utime(apis, (time.time() + 9999, time.time() + 9999)))):
            spoil()
            got = self.asked("get", "gadgets")
            self.assertEqual(["/api", "/apis"], got[:2], what)
            self.assertEqual(1, len(self.asked("get", "gadgets")), f"{what}: not made anew")
            self.assertEqual(whole[apis], content(apis), what)

    def test_a_folder_in_the_place_of_a_file_does_no_harm(self):
        self.asked("get", "gadgets")
        for path in self.files():
            os.unlink(path)
            os.mkdir(path)
        for _ in range(2):
            self.expect("get gadgets", "NAME   READY   AGE\none    1/1     5m\n")

    def test_full_disk_and_unusable_folder(self):
        shell = f"ulimit -f 0; trap '' XFSZ; exec {WASMCTL} get gadgets"
        got = self.run_cli("-c", shell, program="/bin/sh")
        self.assertEqual((0, "NAME   READY   AGE\none    1/1     5m\n", ""), (got.code, got.out, got.err))
        self.assertEqual([], self.files("*"), "half a file was left")
        for folder in (self.write("file", ""), "/proc/nowhere", "/dev/null"):
            self.expect(["get", "gadgets", "--cache-dir", folder], "NAME   READY   AGE\none    1/1     5m\n")

    def test_modes_and_no_secrets(self):
        self.write("kubeconfig", self.kubeconfig(f"http://127.0.0.1:{self.api.port}").replace("user: {}", "user: {token: very-secret}"))
        self.run_cli("get", "gadgets")
        self.assertEqual(2, len(self.files()))
        for path in self.files("*"):
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
            self.assertNotIn(b"very-secret", content(path))
        self.assertEqual(0o700, stat.S_IMODE(os.stat(os.path.dirname(self.files()[0])).st_mode))

    def test_where_it_lies(self):
        self.run_cli("get", "gadgets")
        self.assertEqual(2, len(self.files()))
        self.env["KUBECACHEDIR"] = os.path.join(self.dir, "by-variable")
        self.run_cli("get", "gadgets")
        self.assertEqual(2, len(self.files(folder="by-variable")))
        self.run_cli("get", "gadgets", "--cache-dir", os.path.join(self.dir, "by-option"))
        self.assertEqual(2, len(self.files(folder="by-option")))
        del self.env["KUBECACHEDIR"], self.env["HOME"]
        self.expect("get gadgets", "NAME   READY   AGE\none    1/1     5m\n")

    def test_many_at_once(self):
        processes = [self.start_cli("get", "gadgets") for _ in range(12)]
        for p in processes:
            out, err = p.communicate()
            self.assertEqual((0, "NAME   READY   AGE\none    1/1     5m\n"), (p.returncode, out), err)
        self.assertEqual(["api.json", "apis.json"], [os.path.basename(p) for p in self.files("*")])
        self.assertEqual(1, len(self.asked("get", "gadgets")))

    def test_slow_and_broken_answers_are_not_kept(self):
        release = threading.Event()
        self.addCleanup(release.set)

        def forever(request):
            def pieces():
                yield b'{"kind":'
                release.wait(RUN_TIMEOUT)
            return Answer(chunks=pieces())
        self.api.on("GET", "/apis", forever)
        got = self.run_cli("get", "gadgets", "--request-timeout=300ms")
        self.assertEqual(1, got.code)
        self.assertIn("127.0.0.1", got.err)
        self.assertNotIn("apis.json", [os.path.basename(p) for p in self.files()])
        for body in ("{", "<html>", b"\xff\xfe"):
            self.api.on("GET", "/apis", Answer(body))
            got = self.run_cli("get", "gadgets")
            self.assertEqual(1, got.code, got.out)
            self.assertIn("/apis", got.err)
        self.serve("/apis", groups(GADGETS), "groups-1")
        self.assertEqual(3, len(self.asked("get", "gadgets")))

    def test_a_kind_of_a_manifest(self):
        manifest = self.write("g.yaml", "apiVersion: toys.example/v1\nkind: Gadget\nmetadata: {name: g}\n")
        self.api.on("GET", TOYS, Answer({"kind": "APIResourceList", "resources": [
            {"name": "gadgets", "kind": "Gadget", "namespaced": True, "singularName": "gadget"}]}))
        path = TOYS + "/namespaces/default/gadgets/g"
        self.api.on("PATCH", path, Answer({"apiVersion": "toys.example/v1", "kind": "Gadget", "metadata": meta("g")}))
        self.assertEqual([TOYS, path], [p for p in self.asked("apply", "-f", manifest) if p in (TOYS, path)])
        self.asked("get", "gadgets")
        self.assertNotIn(TOYS, self.asked("apply", "-f", manifest))

    def test_a_group_that_does_not_answer(self):
        stale = groups(GADGETS, COGS)
        stale["items"][1]["versions"][0].update(freshness="Stale", resources=[])
        self.serve("/apis", stale, "groups-1")
        got = self.run_cli("api-resources", "-o", "name")
        self.assertEqual((1, "endpoints\ngadgets.toys.example\n"), (got.code, got.out))
        self.assertIn("cogs.example/v1", got.err)
        self.assertEqual(["api.json"], [os.path.basename(p) for p in self.files()])

    def test_a_server_without_aggregation(self):
        def version(*kinds):
            return Answer({"kind": "APIResourceList", "resources": [
                {"name": k.lower() + "s", "kind": k, "namespaced": True, "verbs": ["get"], "singularName": ""} for k in kinds]})
        self.api.on("GET", "/api", Answer({"kind": "APIVersions", "versions": ["v1"]}))
        self.api.on("GET", "/api/v1", version("Thing"))
        self.api.on("GET", "/apis", Answer({"kind": "APIGroupList", "groups": [
            {"name": "toys.example", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}}]}))
        self.api.on("GET", TOYS, version("Gadget"))
        self.assertEqual(5, len(self.asked("get", "gadgets")))
        self.assertEqual(1, len(self.asked("get", "gadgets")))
        self.expect("api-resources --cached",
                    "NAME      SHORTNAMES   APIVERSION        NAMESPACED   KIND\n"
                    "things                 v1                true         Thing\n"
                    "gadgets                toys.example/v1   true         Gadget\n")
        self.expect("api-versions", "toys.example/v1\nv1\n")


def schema(kind, **properties):
    return {"type": "object", "description": f"A {kind}.", "properties": properties,
            "x-kubernetes-group-version-kind": [{"group": "toys.example", "version": "v1", "kind": kind}]}


class Explain(Served):
    DOCUMENT = {"paths": {"/x": {}}, "components": {"schemas": {
        "example.Gadget": schema("Gadget", spec={"description": "What it shall be.", "allOf": [{"$ref": "#/components/schemas/Spec"}]}),
        "Spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "description": "How large it is, " + "in words that fill more than one line " * 3},
            "colour": {"type": "string", "enum": ["red", "", "blue", "green", "black"]},
            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Spec"}},
            "names": {"type": "object", "additionalProperties": {"type": "string"}}}}}}}

    def setUp(self):
        super().setUp()
        self.document("hash-1", self.DOCUMENT)

    def document(self, hash_, body):
        self.api.on("GET", "/openapi/v3", Answer({"paths": {
            "apis/toys.example/v1": {"serverRelativeURL": f"/openapi/v3/apis/toys.example/v1?hash={hash_}"}}}))
        self.api.on("GET", "/openapi/v3" + TOYS, Answer(body))

    def test_text(self):
        self.expect("explain gadget.spec", """GROUP:      toys.example
KIND:       Gadget
VERSION:    v1

FIELD: spec <Spec>


DESCRIPTION:
    What it shall be.
    
FIELDS:
  colour\t<string>
  enum: red, "", blue, green, ....
    <no description>

  names\t<map[string]string>
    <no description>

  parts\t<[]Spec>
    <no description>

  size\t<integer> -required-
    How large it is, in words that fill more than one line in words that fill
    more than one line in words that fill more than one line 


""")
        self.expect("explain gadget.spec.colour", """GROUP:      toys.example
KIND:       Gadget
VERSION:    v1

FIELD: colour <string>
ENUM:
    red
    ""
    blue
    green
    black

DESCRIPTION:
    <empty>

""")
        got = self.run_cli("explain", "gadget", "-R")
        self.assertIn("  spec\t<Spec>\n    colour\t<string>\n    enum: red", got.out)
        self.assertIn("    parts\t<[]Spec>\n    size\t<integer> -required-\n", got.out)

    def test_the_document_is_kept_until_its_hash_changes(self):
        first = self.asked("explain", "gadget")
        self.assertEqual(["/openapi/v3", "/openapi/v3" + TOYS], first[-2:])
        self.assertEqual(["/openapi/v3"], self.asked("explain", "gadget"))
        path = next(p for p in self.files() if "openapi" in p)
        with open(path, "r+b") as f:
            f.seek(-5, os.SEEK_END)
            f.write(b"@")
        self.assertEqual(["/openapi/v3", "/openapi/v3" + TOYS], self.asked("explain", "gadget"))
        self.document("hash-2", {"components": {"schemas": {"G": schema("Gadget", other={"type": "string"})}}})
        self.assertEqual(["/openapi/v3", "/openapi/v3" + TOYS], self.asked("explain", "gadget.other"))
        self.assertEqual(["/openapi/v3"], self.asked("explain", "gadget.other"))

    def test_mistakes(self):
        self.expect("explain gadget.spec.colours", err='error: field "colours" does not exist in Gadget.spec (did you mean "colour"?)\n', code=1)
        self.expect("explain gadget.spec.parts.Size", err='error: field "Size" does not exist in Gadget.spec.parts (did you mean "size"?)\n', code=1)
        self.expect("explain gadget.spec.size.unit", err='error: field "unit" does not exist in Gadget.spec.size\n', code=1)
        self.expect("explain wasmactor", code=1, err='error: the server doesn\'t have a resource type '
                    '"wasmactors"; install the kinds of wasmctl first: wasmctl install --crds\n')
        self.expect("explain gadget.zzzzzz", err='error: field "zzzzzz" does not exist in Gadget\n', code=1)
        self.expect("explain gadget --api-version=toys.example/v2", code=1,
                    err='error: couldn\'t find resource for "toys.example/v2, Resource=gadgets": the server has no API version "toys.example/v2"\n')

    def test_documents_that_are_no_good(self):
        self.document("", {"components": {}})
        self.assertIn("no schemas", self.run_cli("explain", "gadget").err)
        self.document("", {"components": {"schemas": {}}})
        self.assertIn("do not tell of Gadget", self.run_cli("explain", "gadget").err)
        self.document("", "{")
        self.assertEqual(1, self.run_cli("explain", "gadget").code)
        self.api.on("GET", "/openapi/v3", Answer("404", 404, content_type="text/plain"))
        self.assertIn("has no OpenAPI v3 documents", self.run_cli("explain", "gadget").err)

    def test_schemas_without_end(self):
        links = {f"L{i}": {"allOf": [{"$ref": f"#/components/schemas/L{i + 1}"}] * 4} for i in range(60)}
        self.document("", {"components": {"schemas": {"G": schema("Gadget", a={"allOf": [{"$ref": "#/components/schemas/L0"}] * 2}), **links}}})
        for args in ("explain gadget -R", "explain gadget.a", "explain gadget.a.b"):
            got = self.run_cli(*args.split())
            self.assertEqual(1, got.code, args)
        loop = {"Loop": {"items": {"$ref": "#/components/schemas/Loop"}, "description": "again"}}
        self.document("", {"components": {"schemas": {"G": schema("Gadget", a={"$ref": "#/components/schemas/Loop"}), **loop}}})
        self.assertEqual(1, self.run_cli("explain", "gadget.a.b").code)
        self.run_cli("explain", "gadget.a")


class Auth(CliTest):
    REVIEWS = "/apis/authorization.k8s.io/v1/selfsubject"

    def answer(self, **status_):
        self.api.on("POST", self.REVIEWS + "accessreviews", Answer({"status": status_}, 201))

    def asked_about(self, *args):
        self.run_cli("auth", "can-i", *args)
        return self.requests("POST")[-1].json()["spec"]

    def test_what_is_asked(self):
        self.answer(allowed=True)
        self.assertEqual({"resourceAttributes": {"namespace": "default", "verb": "get", "group": "wasmctl.dev", "resource": "wasmactors",
                                                 "name": "hello"}}, self.asked_about("get", "wa/hello"))
        self.assertEqual({"resourceAttributes": {"verb": "patch", "group": "wasmctl.dev", "resource": "wasmactors", "subresource": "scale"}},
                         self.asked_about("patch", "wasmactor", "--subresource=scale", "-A"))
        self.assertEqual({"resourceAttributes": {"namespace": "x", "verb": "get", "group": "", "resource": "pods", "subresource": "log",
                                                 "name": "web"}}, self.asked_about("get", "pods/log", "web", "-n", "x"))
        self.assertEqual({"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}, self.asked_about("get", "/metrics"))

    def test_answers(self):
        self.answer(allowed=True)
        self.expect("auth can-i get wa", "yes\n")
        self.expect("auth can-i get wa -q")
        self.answer(allowed=False, reason="no rule", evaluationError="half of them")
        self.expect("auth can-i get wa", "no - no rule - half of them\n", code=1)
        self.expect("auth can-i get wa -q", code=1)
        self.api.on("POST", self.REVIEWS + "accessreviews", status(403, "Forbidden", "not you"))
        self.expect("auth can-i get wa", err="Error from server (Forbidden): not you\n", code=1)

    def test_list(self):
        self.api.on("POST", self.REVIEWS + "rulesreviews", Answer({"status": {
            "incomplete": True, "evaluationError": "a webhook", "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}],
            "resourceRules": [{"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments/scale"]},
                              {"verbs": ["list", "get"], "apiGroups": ["apps"], "resources": ["deployments/scale"]},
                              {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a", "b"]}]}}, 201))
        self.expect("auth can-i --list --no-headers",
                    "deployments.apps/scale   []           []    [get list]\n"
                    "                         [/healthz]   []    [get]\n"
                    "pods                     []           [a]   [get]\n"
                    "pods                     []           [b]   [get]\n",
                    "Warning: the list may be incomplete: a webhook\n")

    def test_whoami(self):
        path = "/apis/authentication.k8s.io/{}/selfsubjectreviews"
        user = {"username": "eve", "groups": ["a", "b"], "extra": {"z": ["1"], "k": ["2", "3"]}}
        self.api.on("POST", path.format("v1beta1"), Answer({"kind": "SelfSubjectReview", "status": {"userInfo": user}}, 201))
        self.expect("auth whoami", "ATTRIBUTE   VALUE\nUsername    eve\nGroups      [a b]\nExtra: k    [2 3]\nExtra: z    [1]\n")
        self.api.on("POST", path.format("v1beta1"), status(403, "Forbidden", "no"))
        self.expect("auth whoami", code=1, err="error: the selfsubjectreviews API is not enabled in the cluster or you do not have "
                                               "permission to call it\n")


def host(name, labels=None, spec=None, status_=None, ready="True", synced="True", reason="Heartbeating", lattice="default"):
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "LatticeHost", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"lattice": lattice, "hostID": name.upper(), **(spec or {})},
            "status": {"friendlyName": "the-" + name, "conditions": [
                {"type": "Ready", "status": ready, "reason": reason}, {"type": "Synced", "status": synced, "reason": "Deaf"}], **(status_ or {})}}


class Place(CliTest):
    OWNER = "uid-1/default/hello"

    def setUp(self):
        super().setUp()
        self.api.on("GET", "/api/v1/namespaces/kube-system", Answer({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "uid-1"}}))
        self.hosts(host("hosta", {"cloud": "aws"}), host("hostb", {"cloud": "aws"}), host("hostc", {"cloud": "gcp"}))

    def hosts(self, *items):
        self.api.on("GET", API + "/latticehosts", Answer(listing(*items, kind="LatticeHostList")))

    def forecast(self, *args, code=0, spec=None, status_=None):
        o = actor("hello", spec={"image": "x", **(spec or {})}, status_=status_)
        self.api.on("GET", ACTORS + "/hello", Answer(o))
        got = self.run_cli("place", "wa/hello", "-o", "json", *args)
        self.assertEqual(code, got.code, got.err + got.out)
        return json.loads(got.out)

    def then(self, forecast):
        return {h["host"]: h["then"] for h in forecast["hosts"]}

    def why(self, forecast):
        return {h["host"]: h["message"] for h in forecast["hosts"]}

    def running(self, owner=None, count=1000, id_="default_hello"):
        return {"actorCount": 1, "actors": [{"componentID": id_, "image": "x", "concurrency": count, "owner": owner or self.OWNER}]}

    SPREAD = {"spread": [{"topologyKey": "cloud", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]}

    def test_table(self):
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello", spec={"image": "x", "replicas": 3, "placement": self.SPREAD})))
        self.expect("place wasmactor/hello --without host/the-hostc",
                    "WasmActor default/hello in lattice default: 3 of 3 replicas on 3 of 3 hosts\n"
                    "  HOST    NAME        CLOUD   NOW   THEN   WHY\n"
                    "  hosta   the-hosta   aws     0     1      takes 1\n"
                    "  hostb   the-hostb   aws     0     1      takes 1\n"
                    "  hostc   the-hostc   gcp     0     1      takes 1\n\n"
                    "  SPREAD   MAXSKEW   SKEW   OTHERWISE       REPLICAS\n"
                    "  cloud    1         1      DoNotSchedule   aws=2 gcp=1\n\n"
                    "Without host/the-hostc (1 replica is lost): 3 of 3 replicas on 2 of 2 hosts\n"
                    "  HOST    NAME        CLOUD   NOW   THEN   WHY\n"
                    "  hosta   the-hosta   aws     1     2      takes 1 more\n"
                    "  hostb   the-hostb   aws     1     1      what runs stays\n\n"
                    "  SPREAD   MAXSKEW   SKEW   OTHERWISE       REPLICAS\n"
                    "  cloud    1         0      DoNotSchedule   aws=3\n")

    def test_why_not(self):
        self.hosts(host("cordoned", spec={"unschedulable": True}), host("tainted", spec={"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}),
                   host("silent", ready="Unknown", reason="ProbeTimeout"), host("dead", ready="False", reason="NoResponders"),
                   host("deaf", synced="False"), host("foreign", status_=self.running("uid-1/default/other")),
                   host("elsewhere", lattice="other"), host("fits"))
        forecast = self.forecast()
        self.assertEqual({"cordoned": "cordoned", "tainted": "its taint k=v:NoSchedule is not tolerated", "silent": "not ready",
                          "deaf": "no longer sees links and configuration", "foreign": "runs the same id for another owner",
                          "fits": "takes 1"}, self.why(forecast))
        self.assertEqual("Taint", next(h["reason"] for h in forecast["hosts"] if h["host"] == "tainted"))
        forecast = self.forecast(spec={"replicas": 2, "placement": {"hostSelector": {"matchLabels": {"gpu": "yes"}}}}, code=1)
        self.assertEqual("0/6 hosts fit: 5 do not match gpu=yes, 1 run the same id for another owner", forecast["message"])
        self.assertEqual(2, forecast["missing"])

    def test_what_runs_stays_and_names_its_owner(self):
        self.hosts(host("hosta", status_=self.running(count=2000)), host("hostb"), host("hostc", status_=self.running("another-cluster/default/hello")))
        forecast = self.forecast(spec={"replicas": 2})
        self.assertEqual(({"hosta": 2, "hostb": 0, "hostc": 0}, "what runs stays"), (self.then(forecast), self.why(forecast)["hosta"]))
        self.assertEqual("fits, is not needed", self.why(forecast)["hostb"])
        forecast = self.forecast(spec={"replicas": 1})
        self.assertEqual("gives 1 away", self.why(forecast)["hosta"])
        forecast = self.forecast(spec={"replicas": 2, "placement": {"hostSelector": {"matchLabels": {"a": "b"}}}}, code=1)
        self.assertEqual("loses all: does not match the hostSelector: a=b", self.why(forecast)["hosta"])
        # Without the right to read the cluster's uid, the name alone must do.
        self.api.on("GET", "/api/v1/namespaces/kube-system", status(403, "Forbidden", "no"))
        forecast = self.forecast(spec={"replicas": 4})
        self.assertEqual(4, sum(self.then(forecast).values()))
        self.assertEqual(1, self.then(forecast)["hostc"])

    def test_skew_is_what_keeps_a_host_from_taking_more(self):
        self.hosts(host("hosta", {"cloud": "aws"}), host("hostc", {"cloud": "gcp"}), host("hostg", {"cloud": "gcp"}, spec={"unschedulable": True}))
        spread = [{"topologyKey": "cloud", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"},
                  {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}]
        forecast = self.forecast(spec={"replicas": 3, "placement": {"spread": spread}})
        self.assertEqual({"hosta": 2, "hostc": 1, "hostg": 0}, self.then(forecast))
        self.assertEqual({"topologyKey": "cloud", "maxSkew": 1, "skew": 1, "whenUnsatisfiable": "DoNotSchedule",
                          "values": [{"value": "aws", "replicas": 2, "open": True}, {"value": "gcp", "replicas": 1, "open": True}]},
                         forecast["spread"][0])
        weighted = self.forecast(spec={"replicas": 4, "placement": {"spread": [{**spread[0], "weights": {"aws": 3, "gcp": 1}}]}})
        self.assertEqual(3, next(v for v in weighted["spread"][0]["values"] if v["value"] == "aws")["share"])

    def test_the_lattice_itself(self):
        self.api.on("GET", API + "/lattices", Answer(listing(kind="LatticeList")))
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello", spec={"image": "x"})))
        self.assertEqual("Warning: there is no Lattice default: nothing is placed before it is created\n", self.run_cli("place", "wa/hello").err)
        for state, warning in (("True", ""), ("False", "Warning: the operator is not connected to lattice default, nothing is placed "
                                                       "meanwhile: no route\n")):
            self.api.on("GET", API + "/lattices", Answer(listing({"metadata": {"name": "default"}, "status": {
                "conditions": [{"type": "Connected", "status": state, "message": "no route"}]}}, kind="LatticeList")))
            got = self.run_cli("place", "wa/hello")
            self.assertEqual((0, warning), (got.code, got.err))

    def test_many(self):
        self.api.on("GET", API + "/wasmactors", Answer(listing(*(actor(f"a{i}", "x", spec={"image": "x"}) for i in range(3)))))
        got = self.run_cli("place", "wa", "-A", "-l", "a=b", "-o", "json")
        self.assertEqual([f"a{i}" for i in range(3)], [i["metadata"]["name"] for i in json.loads(got.out)["items"]], got.err)
        self.assertEqual("a=b", next(r for r in self.requests() if r.path == API + "/wasmactors").query["labelSelector"])
        self.api.on("GET", ACTORS, Answer(listing()))
        self.expect("place wa", err="No resources found\n")
        got = self.run_cli("place", "wa", "--contexts", "test,other")
        self.assertEqual(1, got.code)

    def test_without(self):
        forecast = self.forecast("--without", "cloud=aws", "--without", "host/hostc", spec={"replicas": 2}, code=1)
        self.assertEqual((["hosta", "hostb", "hostc"], 2, 2, "the lattice has no live host"),
                         tuple(forecast["without"][k] for k in ("gone", "lost", "missing", "message")))
        for what, message in (("cloud=azure", "no host of lattice default has the label cloud=azure"), ("host/nope", 'no host "nope"'),
                              ("nonsense", "neither host/NAME nor LABEL=VALUE"), ("host/", 'no host ""'), ("=x", "neither")):
            got = self.run_cli("place", "wa/hello", "--without", what)
            self.assertEqual(1, got.code)
            self.assertIn(message, got.err)

    def test_files(self):
        two = self.write("two.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n"
                         "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: one}\nspec: {image: x}\n---\n"
                         "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: two}\nspec: {image: x}\n---\n"
                         "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmProvider\nmetadata: {name: web}\nspec: {image: x, replicas: 4}\n")
        for name in ("one", "two"):
            self.api.on("GET", f"{ACTORS}/{name}", not_found("wasmactors.wasmctl.dev", name))
        self.api.on("GET", API + "/namespaces/default/wasmproviders/web", not_found("wasmproviders.wasmctl.dev", "web"))
        got = self.run_cli("place", "-f", two, "-o", "json")
        items = json.loads(got.out)["items"]
        # The second actor sees the first as other work; a provider runs once a host.
        self.assertEqual([{"hosta": 1, "hostb": 0, "hostc": 0}, {"hosta": 0, "hostb": 1, "hostc": 0}, {"hosta": 1, "hostb": 1, "hostc": 1}],
                         [self.then(i) for i in items])
        self.assertEqual((1, 1), (got.code, items[2]["missing"]))
        got = self.run_cli("place", "-f", self.write("none.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"))
        self.assertEqual((1, "error: there is no WasmActor and no WasmProvider in the files\n"), (got.code, got.err))
        got = self.run_cli("place", "-f", self.write("bad.yaml", "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: one}\nspec: {}\n"))
        self.assertEqual(1, got.code)
        self.assertIn("WasmActor default/one cannot be placed: spec.image is empty", got.err)

    def test_top(self):
        used = {"resources": {"cpuPercent": 71, "memoryTotal": 4 << 30, "memoryFree": 1 << 30}, "actorCount": 3, "providerCount": 1}
        busy = host("busy", {"cloud": "aws"}, status_=used)
        busy["metadata"]["managedFields"] = [{"subresource": "status", "time": "2020-01-01T00:00:00Z"}]
        quiet = host("quiet", ready="False", reason="NoResponders", status_={"lastSeen": "nonsense"})
        self.hosts(quiet, busy)
        got = self.run_cli("top", "lh", "--sort-by=cpu")
        lines = got.out.splitlines()
        self.assertEqual("NAME    CLOUD    FRIENDLY-NAME   CPU%        MEMORY      ACTORS   PROVIDERS   READY                  REPORTED", lines[0])
        self.assertRegex(lines[1], r"^busy    aws      the-busy        71%         3Gi/4Gi     3        1           True                   \d+y\d*d?$")
        self.assertEqual("quiet   <none>   the-quiet       <unknown>   <unknown>   0        0           False (NoResponders)   <unknown>", lines[2])
        self.api.on("GET", ACTORS, Answer(listing(actor("hello", status_={
            "replicas": 2, "readyReplicas": 1, "placements": [{"host": "busy", "state": "Running", "replicas": 2}, {"host": "gone", "state": "Lost"}]}))))
        self.expect("top wasmactors", "NAME    READY   HOSTS   HOST-CPU%   HOST-MEMORY%   BUSIEST-HOST\n"
                                      "hello   1/2     1       71%         75%            the-busy\n")
        self.expect("top cm", err="error: there is no top of \"cm\": latticehosts, wasmactors, nodes and pods have one\n"
                                  "See 'wasmctl top --help' for usage.\n", code=1)

    def test_top_of_pods_and_nodes(self):
        metrics = "/apis/metrics.k8s.io/v1beta1"
        self.expect("top pods", err="error: Metrics API not available\n", code=1)
        self.api.on("GET", metrics + "/namespaces/default/pods", Answer(listing(
            {"metadata": {"name": "a", "namespace": "default"}, "containers": [{"usage": {"cpu": "1500001n", "memory": "2Mi"}},
                                                                               {"usage": {"cpu": "1", "memory": "1048576"}}]})))
        self.expect("top pods", "NAME   CPU(cores)   MEMORY(bytes)\na      1002m        3Mi\n")
        self.api.on("GET", metrics + "/nodes", Answer(listing({"metadata": {"name": "n"}, "usage": {"cpu": "500m", "memory": "1Gi"}})))
        self.api.on("GET", "/api/v1/nodes", Answer(listing(
            *({"metadata": {"name": n}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}}} for n in ("n", "silent")))))
        self.expect("top nodes", "NAME     CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)\n"
                                 "n        500m         25%         1024Mi          25%\n"
                                 "silent   <unknown>    <unknown>   <unknown>       <unknown>\n")


class Version(CliTest):
    def test_skew(self):
        for version, warns in (("v1.37.2", False), ("v1.36.0-rc.1", False), ("v1.38.1+x", False), ("v1.35.9", True), ("v2.37.0", True), ("odd", False)):
            self.api.on("GET", "/version", Answer({"gitVersion": version}))
            got = self.run_cli("version")
            self.assertEqual((0, warns), (got.code, "exceeds the supported minor version skew of +/-1" in got.err), version + got.err)
            self.assertTrue(got.out.endswith(f"Server Version: {version}\n"))

    def test_cluster_info(self):
        services = [{"metadata": {"name": "dns", "namespace": "kube-system", "labels": {"kubernetes.io/name": "CoreDNS"}},
                     "spec": {"ports": [{"name": "dns", "port": 53}]}},
                    {"metadata": {"name": "web", "namespace": "kube-system"}, "spec": {"ports": [{"port": 80}]},
                     "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}]
        self.api.on("GET", "/api/v1/namespaces/kube-system/services", Answer(listing(*services)))
        url = f"http://127.0.0.1:{self.api.port}"
        self.expect("cluster-info", f"Kubernetes control plane is running at {url}\n"
                                    f"CoreDNS is running at {url}/api/v1/namespaces/kube-system/services/dns:dns/proxy\n"
                                    "web is running at http://lb.example:80 \n")
        self.assertEqual("kubernetes.io/cluster-service=true", self.requests()[0].query["labelSelector"])
        self.assertIn("there is no dump", self.run_cli("cluster-info", "dump").err)


if __name__ == "__main__":
    main()
