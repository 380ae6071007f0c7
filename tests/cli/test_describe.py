"""wasmctl describe and events against a scripted API server. Ages are relative to now: compared as words."""
import re

from harness import *

EVENTS = "/api/v1/namespaces/default/events"


def event(reason, message, **more):
    return {"metadata": meta("e-" + reason), "type": "Normal", "reason": reason, "message": message,
            "involvedObject": {"kind": "WasmActor", "name": "hello"}, "reportingComponent": "wasm-operator",
            "eventTime": "2026-01-02T03:04:05.000000Z", **more}


class Describe(CliTest):
    def plain(self, *args):
        got = self.run_cli(*args)
        self.assertEqual((0, ""), (got.code, got.err))
        text = re.sub(r"\b\d+[ydhms]\w*\b", "AGE", got.out)
        return "\n".join(re.sub(r" {2,}", "  ", line.rstrip()).strip() for line in text.splitlines())

    def test_actor(self):
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello", generation=2, spec={
            "image": "img:1", "replicas": 3, "capabilities": [
                {"interface": "wasi:http/incoming-handler", "provider": "http", "config": {"address": "0.0.0.0:8080"}}],
            "placement": {"mode": "Spread", "hostSelector": {"matchLabels": {"cloud": "gcp"}}}},
            status_={"observedGeneration": 1, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 2,
                     "placements": [{"host": "nabc", "state": "Running", "replicas": 1, "topology": {"cloud": "gcp"},
                                     "image": "img:1", "since": "2026-01-02T03:04:05Z"}],
                     "conditions": [{"type": "Ready", "status": "False", "reason": "NoHost", "message": "no host matches",
                                     "lastTransitionTime": "2026-01-02T03:04:05Z"}]})))
        self.api.on("GET", EVENTS, Answer(listing(event("Started", "one replica runs"), kind="EventList")))
        text = self.plain("describe", "wasmactor", "hello")
        for line in ("Name:  hello", "Namespace:  default", "Labels:  <none>", "Image:  img:1",
                     "Replicas:  3 desired | 2 placed | 1 ready | 2 updated", "Hosts:  cloud=gcp",
                     "wasi:http/incoming-handler  provider http  default  address=0.0.0.0:8080",
                     "Ready  False  AGE  NoHost  no host matches", "nabc  Running  1  AGE  cloud=gcp  img:1",
                     "Note:  the operator has not seen the newest change yet (generation 1 of 2)",
                     "Normal  Started  AGE  wasm-operator  one replica runs"):
            self.assertIn("\n" + line + "\n", "\n" + text + "\n")
        self.assertLess(text.index("Conditions:"), text.index("Events:"))

    def test_events_that_cannot_be_read(self):
        self.api.on("GET", ACTORS + "/hello", Answer(actor("hello")))
        self.api.on("GET", EVENTS, status(403, "Forbidden", "not for you"))
        self.assertIn("Events:  <cannot be read: not for you>", self.plain("describe", "wa/hello"))

    def test_host_shows_what_runs_there(self):
        self.api.on("GET", API + "/latticehosts/nabc", Answer({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "LatticeHost",
                    "metadata": meta("nabc", None), "spec": {"lattice": "default", "hostID": "NABC"}}))
        self.api.on("GET", API + "/wasmactors", Answer(listing(
            actor("hello", status_={"placements": [{"host": "nabc", "state": "Running", "replicas": 2, "image": "img:1"}]}),
            actor("other", status_={"placements": [{"host": "nxyz", "state": "Running", "replicas": 2}]}))))
        self.api.on("GET", API + "/wasmproviders", Answer(listing()))
        self.api.on("GET", "/api/v1/events", Answer(listing(kind="EventList")))
        text = self.plain("describe", "latticehost", "nabc")
        self.assertIn("\nWasmActor  default  hello  Running  2  <unknown>  img:1\n", text)
        self.assertNotIn("other", text)
        self.assertTrue(text.endswith("Events:  <none>"))

    def test_values_of_secrets_stay_hidden(self):
        manifest = '{"data":{"pass.word":"aHVzaA=="}}'
        self.api.on("GET", "/api/v1/namespaces/default/secrets/s", Answer(
            {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"pass.word": "aHVzaA==", "empty": ""},
             "metadata": {"name": "s", "namespace": "default",
                          "annotations": {"kubectl.kubernetes.io/last-applied-configuration": manifest}}}))
        self.api.on("GET", EVENTS, Answer(listing(kind="EventList")))
        text = self.plain("describe", "secret", "s")
        self.assertNotIn("aHVzaA", text)
        self.assertNotIn("hush", text)
        self.assertIn("\nType:  Opaque\nData:\npass.word:  4 bytes\nempty:  0 bytes\nEvents:", text)

    def test_keys_of_config_maps_stay_as_they_are(self):
        self.api.on("GET", "/api/v1/namespaces/default/configmaps/c", Answer(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"},
             "data": {"someKey": "x", "file.txt": "a\nb"}, "binaryData": {"icon": "AAEC"}}))
        self.api.on("GET", EVENTS, Answer(listing(kind="EventList")))
        text = self.plain("describe", "cm", "c")
        self.assertIn("\nsomeKey:  x\n", text)
        self.assertIn("\nfile.txt:  a\nb\n", text)
        self.assertIn("\nBinary Data:\nicon:  3 bytes\n", text)

    def test_beginning_of_a_name(self):
        self.api.on("GET", ACTORS + "/web", not_found("wasmactors.wasmctl.dev", "web"))
        self.api.on("GET", ACTORS, Answer(listing(actor("web-1"), actor("other"), actor("web-2"))))
        self.api.on("GET", EVENTS, Answer(listing(kind="EventList")))
        text = self.plain("describe", "wa", "web")
        self.assertEqual(["web-1", "web-2"], re.findall(r"(?m)^Name:  (\S+)$", text))

    def test_any_object(self):
        self.api.on("GET", "/api/v1/namespaces/default/serviceaccounts/c", Answer(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "c", "namespace": "default", "labels": {"a": "b"}},
             "data": {"someKey": "x", "list": ["p", "q"]}}))
        self.api.on("GET", EVENTS, Answer(listing(kind="EventList")))
        got = self.run_cli("describe", "serviceaccount", "c")
        self.assertEqual("Name:         c\nNamespace:    default\nLabels:       a=b\nAnnotations:  <none>\nAPI Version:  v1\n"
                         "Kind:         ServiceAccount\nMetadata:\nData:\n  List:\n    p\n    q\n  Some Key:  x\nEvents:  <none>\n", got.out)

    def test_missing(self):
        self.api.on("GET", ACTORS + "/b", not_found("wasmactors.wasmctl.dev", "b"))
        self.expect("describe wa b", err='Error from server (NotFound): wasmactors.wasmctl.dev "b" not found\n', code=1)
        self.api.on("GET", ACTORS, Answer(listing()))
        self.expect("describe wa", err="No resources found in default namespace.\n")


class Events(CliTest):
    def test_list_is_sorted(self):
        self.api.on("GET", EVENTS, Answer(listing(event("B", "later", eventTime="2026-01-02T03:04:06.000000Z"),
                                                  event("A", "first"), kind="EventList")))
        got = self.run_cli("events", "--no-headers")
        self.assertEqual(["A", "B"], [line.split()[2] for line in got.out.splitlines()])

    def test_about_an_object(self):
        self.api.on("GET", EVENTS, Answer(listing(kind="EventList")))
        self.expect("events --for wa/hello", err="No events found in default namespace.\n")
        self.assertEqual("involvedObject.kind=WasmActor,involvedObject.name=hello", self.requests()[0].query["fieldSelector"])


if __name__ == "__main__":
    main()
