"""How many requests commands send, from the audit log of a real API server: wasmctl's are checked, kubectl's are shown beside them.

Skipped (exit 77) when etcd, kube-apiserver or kubectl were not built into the cache.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, part

WASMCTL = os.path.abspath(os.environ.get("WASMCTL", "wasmctl"))
RUN_TIMEOUT = 60
SKIP = 77
MANIFEST = "".join(f"""apiVersion: wasmctl.dev/v1alpha1
kind: WasmActor
metadata: {{name: a{i}}}
spec: {{image: "ghcr.io/example/hello:1", replicas: 0}}
---
""" for i in range(3))

# (command line, requests of wasmctl; None: only shown). Caches are warm: each was run once before.
LINES = [
    ("get wasmactors", 1), ("get wasmactor a1", 1), ("get wasmactors -A", 1), ("get wasmactors -o json", 1),
    ("get wasmactors -l x=y", 1), ("get configmaps", 1), ("get deployments", 1), ("get wasmactor a1 a2", 2),
    ("apply --server-side -f one.yaml", 1), ("apply --server-side -f three.yaml", 3),
    ("apply --server-side --dry-run=server -f three.yaml", 3),
    ("describe wasmactor a1", 2), ("describe configmap nope", None),
    ("events", 1), ("scale wasmactor/a1 --replicas=0", 1), ("rollout status wasmactor/a1 --watch=false", 1),
    ("wait wasmactor/a1 --for=jsonpath={.spec.replicas}=0", 1), ("wait wasmactor/nope --for=delete", 1),
    ("delete wasmactor a2 --wait=false", 1), ("delete wasmactor nope --ignore-not-found", 1),
    ("version", 1), ("logs nope", 2),  # the second asks for names to suggest
]


class Audit:
    """New entries of the log since the last look. A mark in the log says that all before it is there."""

    def __init__(self, cluster):
        self.path, self.at, self.marks, self.cluster = cluster.audit_log, 0, 0, cluster

    def since(self):
        self.marks += 1
        mark = f"/healthz?mark={self.marks}"
        subprocess.run([part("kubectl"), "--kubeconfig", self.cluster.kubeconfig, "get", "--raw", mark], check=True,
                       capture_output=True, timeout=RUN_TIMEOUT)
        end, found = time.monotonic() + RUN_TIMEOUT, []
        with open(self.path) as log:
            log.seek(self.at)
            text = ""
            while time.monotonic() < end:
                text += log.read()
                whole = text[:text.rfind("\n") + 1]
                found = [json.loads(line) for line in whole.splitlines()]
                if any(entry["requestURI"] == mark for entry in found):
                    self.at += len(whole.encode())
                    return [e for e in found if e["user"]["username"] == "admin" and "/healthz" not in e["requestURI"]]
        raise SystemExit(f"the audit log does not show {mark}")


def main():
    missing = [name for name in ("etcd", "kube-apiserver", "kubectl") if not part(name)]
    if missing or not shutil.which("openssl"):
        print(f"skipped: {', '.join(missing) or 'openssl'} missing")
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("one.yaml", MANIFEST.split("---")[0]), ("three.yaml", MANIFEST)):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        os.mkdir(os.path.join(folder, "cluster"))
        cluster = Cluster(os.path.join(folder, "cluster"), audit=True)
        env = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "KUBECONFIG": cluster.kubeconfig, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        failed = 0

        def run(program, line):
            return subprocess.run([program, *line.split()], cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_TIMEOUT)
        try:
            cluster.wait_ready()
            for line in ("install --crds", "apply -f three.yaml"):
                done = run(WASMCTL, line)
                if done.returncode:
                    print(line, done.stdout, done.stderr)
                    return 1
            audit = Audit(cluster)
            print(f"{'requests of':<58}{'wasmctl':>8}{'kubectl':>9}")
            for line, most in LINES:
                counts = []
                for program in (WASMCTL, part("kubectl")):
                    run(program, line)
                    audit.since()
                    run(program, line)
                    sent = audit.since()
                    counts.append(len(sent))
                    if program == WASMCTL:
                        ours = sent
                wrong = most is not None and counts[0] != most
                failed += wrong
                print(f"{line:<58}{counts[0]:>8}{counts[1]:>9}" + (f"   WRONG: {most} expected" if wrong else ""))
                for entry in ours if wrong else []:
                    print("   ", entry["verb"], entry["requestURI"], entry.get("responseStatus", {}).get("code"))
            return 1 if failed else 0
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
