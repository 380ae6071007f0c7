"""One command over three real API servers, one of which is ended in the middle. Skipped (77) when they were not built."""
import json
import os
import subprocess
import sys
import tempfile

import cluster

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
NAMES = ["aws", "gcp", "on-prem"]
MANIFEST = """apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: shop}}
data: {a: "1"}
---
apiVersion: wasmctl.dev/v1alpha1
kind: WasmActor
metadata: {name: cart, labels: {app: shop}}
spec: {image: "registry.example.com/shop/cart:1"}
"""


class Fleet:
    def __init__(self, folder):
        self.dir, self.servers = folder, {}

    def start(self):
        for name in NAMES:
            os.mkdir(os.path.join(self.dir, name))
            self.servers[name] = cluster.Cluster(os.path.join(self.dir, name))
        for server in self.servers.values():
            server.wait_ready()
        self.config = os.path.join(self.dir, "kubeconfig")
        with open(self.config, "w") as f:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": NAMES[0],
                "clusters": [{"name": n, "cluster": {"server": f"https://127.0.0.1:{s.port}", "certificate-authority": s.dir + "/server.crt"}}
                             for n, s in self.servers.items()],
                "users": [{"name": "u", "user": {"token": "secret-token"}}],
                "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in NAMES]}, f)

    def stop(self):
        for server in self.servers.values():
            server.stop()

    def run(self, *args, stdin=None, code=0):
        done = subprocess.run([WASMCTL, *args], input=stdin, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "KUBECONFIG": self.config, "HOME": self.dir})
        if done.returncode != code:
            raise SystemExit(f"wasmctl {' '.join(args)}: exit code {done.returncode} instead of {code}\n{done.stdout}{done.stderr}")
        return done


def expect(wanted, got, what):
    if wanted != got:
        raise SystemExit(f"{what}\nexpected: {wanted!r}\ngot:      {got!r}")


def columns(text, *which):
    return [[line.split()[i] for i in which] for line in text.splitlines()]


def check(fleet):
    for name in NAMES:
        fleet.run("install", "--crds", "--context", name)
    done = fleet.run("apply", "-f", "-", "--all-contexts", stdin=MANIFEST)
    expect([[n, o] for n in NAMES for o in ("configmap/settings", "wasmactor.wasmctl.dev/cart")], sorted(columns(done.stdout, 0, 1)), "apply")
    done = fleet.run("get", "wa,cm", "-l", "app=shop", "--all-contexts", "--no-headers")
    expect(sorted([n, o] for n in NAMES for o in ("configmap/settings", "wasmactor.wasmctl.dev/cart")),
           sorted(columns(done.stdout, 0, 1)), "get of two kinds")
    items = json.loads(fleet.run("get", "cm", "settings", "--contexts", "on-prem,aws", "-o", "json").stdout)["items"]
    expect(["on-prem", "aws"], [i["metadata"]["annotations"]["wasmctl.dev/context"] for i in items], "order of a list")
    # What is shown about the context is not in the cluster.
    one = json.loads(fleet.run("get", "cm", "settings", "--context", "aws", "-o", "json").stdout)
    expect(None, one["metadata"].get("annotations"), "annotations in the cluster")
    done = fleet.run("wait", "--for=jsonpath={.spec.image}=registry.example.com/shop/cart:1", "wa/cart", "--all-contexts")
    expect(NAMES, sorted(line.split()[0] for line in done.stdout.splitlines()), "wait")
    fleet.run("delete", "cm", "settings", "--context", "gcp")
    done = fleet.run("get", "cm", "settings", "--all-contexts", "--no-headers", code=1)
    expect(["aws", "on-prem"], sorted(line.split()[0] for line in done.stdout.splitlines()), "one has it not")
    expect('gcp: Error from server (NotFound): configmaps "settings" not found\n', done.stderr, "the one that has it not")
    # One server goes away.
    fleet.servers["aws"].stop()
    done = fleet.run("get", "wa", "--all-contexts", "--no-headers", "--allow-partial")
    expect([["gcp", "cart"], ["on-prem", "cart"]], sorted(columns(done.stdout, 0, 1)), "with one server away")
    if not done.stderr.startswith("2 of 3 contexts answered; aws: The connection to the server "):
        raise SystemExit(f"no summary: {done.stderr!r}")
    done = fleet.run("delete", "wa", "cart", "--all-contexts", code=1)
    expect(["gcp", "on-prem"], sorted(line.split()[0] for line in done.stdout.splitlines()), "delete with one server away")
    done = fleet.run("get", "wa", "--contexts", "^aws")
    expect("No resources found in default namespace.\n", done.stderr, "all deleted")


def main():
    if not cluster.part("etcd") or not cluster.part("kube-apiserver") or not cluster.part("kubectl"):
        print("the API server was not built: skipped")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(folder)
        try:
            fleet.start()
            check(fleet)
        finally:
            fleet.stop()
    return 0


sys.exit(main())
