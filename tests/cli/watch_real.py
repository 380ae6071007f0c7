"""get -w against a real API server that is killed and started again while objects change: nothing is lost, nothing is told twice.

Skipped (77) when the real parts were not built.
"""
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from cluster import Cluster, part

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
RESTARTS, CHANGES, PATIENCE = 2, 30, 200
PATH = "/api/v1/namespaces/default/configmaps"


class Writer:
    """Makes each change until the server says that it is made."""

    def __init__(self, cluster):
        self.cluster, self.trust = cluster, ssl.create_default_context(cafile=os.path.join(cluster.dir, "server.crt"))
        self.connection = None

    def send(self, method, path, body, done):
        end = time.monotonic() + PATIENCE
        pause = threading.Event()
        while time.monotonic() < end:
            try:
                self.connection = self.connection or http.client.HTTPSConnection("127.0.0.1", self.cluster.port, context=self.trust, timeout=10)
                kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
                self.connection.request(method, path, json.dumps(body) if body else None,
                                        {"Authorization": "Bearer secret-token", "Content-Type": kind})
                answer = self.connection.getresponse()
                answer.read()
                if answer.status in done:
                    return
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
            pause.wait(0.05)  # between two questions to a server that is not there
        raise SystemExit(f"{method} {path} was not done")

    def create(self, name, n):
        self.send("POST", PATH, {"metadata": {"name": name, "labels": {"app": "watched"}}, "data": {"n": str(n)}}, (201, 409))

    def change(self, name, n):
        self.send("PATCH", f"{PATH}/{name}", {"data": {"n": str(n)}}, (200,))

    def delete(self, name):
        self.send("DELETE", f"{PATH}/{name}", None, (200, 404))


class Reader:
    """The lines of the command as (type, name, n, version)."""

    def __init__(self, cluster):
        self.process = subprocess.Popen([WASMCTL, "get", "cm", "-w", "-l", "app=watched", "-o", "ndjson", "--output-watch-events"],
                                        env={**os.environ, "KUBECONFIG": cluster.kubeconfig}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.lines, self.talk, self.heard = [], [], threading.Condition()
        for stream, take in ((self.process.stdout, self.read), (self.process.stderr, self.talk.append)):
            threading.Thread(target=self.listen, args=(stream, take), daemon=True).start()

    def listen(self, stream, take):
        for line in stream:
            with self.heard:
                take(line)
                self.heard.notify_all()

    def read(self, line):
        event = json.loads(line)
        o = event["object"]
        self.lines.append((event["type"], o["metadata"]["name"], (o.get("data") or {}).get("n"), o["metadata"].get("resourceVersion")))

    def wait(self, what, condition):
        with self.heard:
            if not self.heard.wait_for(condition, PATIENCE):
                raise SystemExit(f"waited in vain for {what}: {self.lines} {self.talk}")

    def has(self, type_, name):
        return any(line[0] == type_ and line[1] == name for line in self.lines)


def check(lines):
    """What was printed against what was done."""
    wrong = []
    versions = [(name, version) for type_, name, _, version in lines if type_ != "DELETED"]
    wrong += [f"told twice: {v}" for v in set(versions) if versions.count(v) > 1]
    for i in range(CHANGES):
        for type_, expected in (("ADDED", 1), ("DELETED", i % 2)):
            times = sum(1 for line in lines if line[:2] == (type_, f"cm-{i}"))
            if times != expected:
                wrong.append(f"cm-{i} {type_}: told {times} times instead of {expected}")
    counts = [int(n) for type_, name, n, _ in lines if name == "counter" and type_ != "DELETED"]
    if counts != sorted(set(counts)) or counts[-1] != CHANGES:
        wrong.append(f"the counter went {counts}")
    return wrong


def main():
    if not all(part(name) for name in ("etcd", "kube-apiserver", "kubectl")):
        print("skipped: the real parts were not built")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder)
        reader = None
        try:
            cluster.wait_ready()
            writer = Writer(cluster)
            writer.create("counter", 0)
            reader = Reader(cluster)
            reader.wait("the first line", lambda: reader.has("ADDED", "counter"))
            for i in range(CHANGES):
                if i % (CHANGES // (RESTARTS + 1)) == 0 and i:
                    command = cluster.kill_server()
                    reader.wait("word of the server's end", lambda: any("interrupted" in line for line in reader.talk))
                    reader.talk.clear()
                    cluster.start_server(command)
                writer.create(f"cm-{i}", i)
                writer.change("counter", i + 1)
                if i % 2:
                    reader.wait(f"cm-{i}", lambda: reader.has("ADDED", f"cm-{i}"))
                    writer.delete(f"cm-{i}")
            last = CHANGES - 1 - CHANGES % 2
            reader.wait("the last deletion", lambda: reader.has("DELETED", f"cm-{last}"))
            reader.wait("the last change", lambda: any(line[1:3] == ("counter", str(CHANGES)) for line in reader.lines))
            wrong = check(reader.lines)
            alive = reader.process.poll() is None
        finally:
            if reader:
                reader.process.send_signal(signal.SIGKILL)
                reader.process.wait()
            cluster.stop()
    print(f"{len(reader.lines)} lines, {RESTARTS} restarts of the API server, {len(wrong)} wrong", *wrong, sep="\n")
    return 0 if alive and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
