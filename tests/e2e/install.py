"""`wasmctl install` and `uninstall`, and the operator's image: in an environment of its own, since they change the rights of the
operator. There is no kubelet: the image is run by hand, with exactly what a Pod would find."""
import base64
import hashlib
import http.server
import json
import os
import subprocess
import tarfile
import tempfile
import threading
import urllib.parse

from harness import (ENV_NAME, OPERATOR, WASMCTL, actor, expect, free_port, parts_path, run, test, wait_for)

NAME = f"{ENV_NAME}-install"
SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")
OPERATOR_KINDS = "deployments,services,networkpolicies,poddisruptionbudgets,serviceaccounts,roles,rolebindings"


class Cluster:
    """An environment with one host, whose own operator is stopped."""

    def __enter__(self):
        run(WASMCTL, "dev", "down", "--name", NAME, "--purge", check=False)
        run(WASMCTL, "dev", "up", "--name", NAME, "--hosts", "1", timeout=150)
        run(WASMCTL, "dev", "child", "stop", "operator", "--name", NAME)
        self.status = json.loads(run(WASMCTL, "dev", "status", "--name", NAME, "-o", "json", check=False)[1])
        self.environment = {"KUBECONFIG": self.status["kubeconfig"]}
        return self

    def __exit__(self, *_):
        run(WASMCTL, "dev", "down", "--name", NAME, "--purge", check=False)

    def ctl(self, *args, **kw):
        return run(WASMCTL, *args, env=self.environment, **kw)[1]

    def ctl_fails(self, *args):
        status, out, err = run(WASMCTL, *args, env=self.environment, check=False)
        expect(status == 1, f"wasmctl {' '.join(args)}: status {status}\n{out}{err}")
        return err

    def kubectl(self, *args):
        return run(os.path.join(parts_path("kubectl"), "kubectl"), *args, env=self.environment)[1]

    def get(self, *args):
        return json.loads(self.ctl("get", *args, "-o", "json"))


@test
def install_and_uninstall():
    with Cluster() as c:
        objects = json.loads(c.ctl("install", "--dry-run=client", "-o", "json", "-n", "ops", "--image", "r.example/op:2",
                                   "--replicas", "3", "--image-pull-secret", "login", "--service-monitor"))["items"]
        kinds = [o["kind"] for o in objects]
        expect(kinds.count("CustomResourceDefinition") == 4 and kinds[-1] == "Deployment" and "ServiceMonitor" in kinds, kinds)
        expect({o["metadata"].get("namespace", "ops") for o in objects} == {"ops"}, "an object is in another namespace")
        expect(all(s["namespace"] == "ops" for o in objects for s in o.get("subjects", [])), "a subject is elsewhere")
        pod = objects[-1]["spec"]["template"]["spec"]
        expect(pod["containers"][0]["image"] == "r.example/op:2" and pod["imagePullSecrets"] == [{"name": "login"}]
               and objects[-1]["spec"]["replicas"] == 3, json.dumps(pod))

        before = c.ctl("get", "clusterroles,crds", "-o", "name")
        c.ctl("install", "--dry-run=server", "--crds")
        expect(c.ctl("get", "clusterroles,crds", "-o", "name") == before, "a dry run has made something")
        out = c.ctl("install", "--wait=false", "--image", "r.example/op:1")
        expect("deployment.apps/wasm-operator serverside-applied" in out, out)
        versions = {o["metadata"]["name"]: o["metadata"]["resourceVersion"]
                    for o in c.get(OPERATOR_KINDS, "-n", "wasm-system", "-l", "app.kubernetes.io/part-of=wasmctl")["items"]}
        c.ctl("install", "--wait=false", "--image", "r.example/op:1")
        again = {o["metadata"]["name"]: o["metadata"]["resourceVersion"]
                 for o in c.get(OPERATOR_KINDS, "-n", "wasm-system", "-l", "app.kubernetes.io/part-of=wasmctl")["items"]}
        expect(versions == again, f"a second installation has changed something: {versions} {again}")
        # What this version does not have any more goes.
        out = c.ctl("install", "--wait=false", "--network-policy=false", "--image", "r.example/op:1")
        expect("networkpolicy.networking.k8s.io/wasm-operator deleted" in out, out)
        err = c.ctl_fails("install", "--timeout=1s", "--image", "r.example/op:1")
        expect("timed out waiting for Deployment wasm-system/wasm-operator" in err, err)
        # A controller and a kubelet would say this.
        c.kubectl("patch", "deployment", "wasm-operator", "-n", "wasm-system", "--subresource=status", "--type=merge", "-p",
                  json.dumps({"status": {"observedGeneration": 99, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
                                         "availableReplicas": 2}}))
        c.ctl("install", "--timeout=20s", "--image", "r.example/op:1")

        err = c.ctl_fails("uninstall")
        expect("1 lattices: delete them first" in err and "--keep-crds" in err, err)
        expect("deployment.apps/wasm-operator" in c.ctl("get", "deployments", "-n", "wasm-system", "-o", "name"),
               "a refused uninstall has removed something")
        c.ctl("uninstall", "--keep-crds")
        left = c.get(OPERATOR_KINDS, "-n", "wasm-system", "-l", "app.kubernetes.io/part-of=wasmctl")["items"]
        expect(left == [], f"left: {[o['metadata']['name'] for o in left]}")
        expect(c.get("lattices")["items"], "the Lattice is gone")
        # Nobody is there to remove the finalizer.
        err = c.ctl_fails("uninstall", "--delete-objects", "--timeout=1s")
        expect("timed out waiting until lattices.wasmctl.dev/default is gone" in err, err)
        c.kubectl("patch", "lattice", "default", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        wait_for("the Lattice is gone", lambda: not c.get("lattices")["items"])
        c.ctl("uninstall")
        expect("wasmctl.dev" not in c.ctl("get", "crds", "-o", "name"), c.ctl("get", "crds", "-o", "name"))
        c.ctl("uninstall")  # nothing is left to do


def build_image(folder, *args):
    path = os.path.join(folder, "image.tar")
    out = run(os.path.join(SOURCE, "deploy", "image.py"), "--binary", OPERATOR, "--output", path, *args)[1]
    return path, out


def unpack(path, folder):
    with tarfile.open(path) as tar:
        layer = json.load(tar.extractfile("manifest.json"))[0]["Layers"][0]
        with tarfile.open(fileobj=tar.extractfile(layer), mode="r:gz") as content:
            content.extractall(folder, filter="fully_trusted")


@test
def operator_runs_from_its_image():
    """The image's root file system, the ServiceAccount's token and the rights that install gives: an actor is placed."""
    if os.geteuid() != 0 and run("/usr/bin/unshare", "-r", "true", check=False)[0] != 0:
        print("not run: it needs root, or user namespaces")
        return
    with tempfile.TemporaryDirectory(prefix="wasmctl-image-") as folder, Cluster() as c:
        path, out = build_image(folder)
        print(out.strip())
        root = os.path.join(folder, "root")
        os.mkdir(root)
        unpack(path, root)
        c.ctl("install", "--wait=false")
        secrets = os.path.join(root, "var/run/secrets/kubernetes.io/serviceaccount")
        os.makedirs(secrets)
        config = json.loads(c.kubectl("config", "view", "--raw", "--minify", "-o", "json"))["clusters"][0]["cluster"]
        server = urllib.parse.urlparse(config["server"])
        authority = config.get("certificate-authority-data")
        files = {"token": c.kubectl("create", "token", "wasm-operator", "-n", "wasm-system"), "namespace": "wasm-system",
                 "ca.crt": base64.b64decode(authority).decode() if authority else open(config["certificate-authority"]).read()}
        for name, text in files.items():
            with open(os.path.join(secrets, name), "w") as f:
                f.write(text)
        metrics = free_port()
        as_pod = ["/usr/sbin/chroot", "--userspec=65532:65532", root] if os.geteuid() == 0 else ["/usr/bin/unshare", "-r", "/usr/sbin/chroot", root]
        log = open(os.path.join(folder, "log"), "w+")
        process = subprocess.Popen([*as_pod, "/wasm-operator", "--log-format=json", "--health-address=",
                                    f"--metrics-address=127.0.0.1:{metrics}"],
                                   env={"KUBERNETES_SERVICE_HOST": server.hostname, "KUBERNETES_SERVICE_PORT": str(server.port),
                                        "NO_PROXY": "*"}, stdout=log, stderr=log)
        try:
            c.ctl("apply", "-f", "-", stdin=json.dumps(actor("podded")))
            c.ctl("wait", "--for=condition=Ready", "wasmactor/podded", "--timeout=60s", timeout=70)
            leases = c.get("leases", "-n", "wasm-system")["items"]
            expect(len(leases) == 1 and leases[0]["spec"]["holderIdentity"], "no Lease is held")
            wait_for("the rights suffice for ControllerRevisions", lambda: len(c.get("controllerrevisions")["items"]) == 1)
            wait_for("the rights suffice for Events", lambda: "Running" in c.ctl("events", "-n", "default"))
            c.ctl("delete", "wasmactor", "podded", "--timeout=30s")
        finally:
            process.terminate()
            process.wait(timeout=30)
            log.seek(0)
            text = log.read()
            log.close()
        for line in text.splitlines():
            expect("forbidden" not in line, f"a right is missing: {line}")
        expect(process.returncode == 0, f"status {process.returncode}\n{text}")
        c.ctl("uninstall", "--keep-crds")


class Pushed(http.server.BaseHTTPRequestHandler):
    """The write side of a registry, as much as a push needs."""
    blobs, manifests = {}, {}

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self):
        self.answer(200 if self.path.rpartition("/")[2] in self.blobs else 404)

    def do_POST(self):
        self.answer(202, Location=f"{self.path}upload-1?state=x")

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        url = urllib.parse.urlparse(self.path)
        if "/manifests/" in url.path:
            self.manifests[url.path] = data
        else:
            wanted = urllib.parse.parse_qs(url.query)["digest"][0]
            if "sha256:" + hashlib.sha256(data).hexdigest() != wanted:
                self.answer(400)
                return
            self.blobs[wanted] = data
        self.answer(201)

    def log_message(self, *_):
        pass


@test
def image_is_reproducible_and_pushed():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pushed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="wasmctl-image-") as folder:
        try:
            first, out = build_image(folder)
            with open(first, "rb") as f:
                data = f.read()
            reference = f"127.0.0.1:{server.server_port}/team/wasm-operator:1"
            second, out = build_image(folder, "--push", reference, "--plain-http")
            with open(second, "rb") as f:
                expect(f.read() == data, "the same input has given another image")
            manifest = json.loads(Pushed.manifests["/v2/team/wasm-operator/manifests/1"])
            for part in (manifest["config"], *manifest["layers"]):
                expect(len(Pushed.blobs[part["digest"]]) == part["size"], f"{part} was not pushed")
        finally:
            server.shutdown()
            server.server_close()
    status, _, err = run(os.path.join(SOURCE, "deploy", "image.py"), "--binary", OPERATOR, "--push", "nonsense", check=False)
    expect(status == 1 and "is no reference" in err, err)
