"""`wasmctl tail` of 250 Pods of a real API server, which allows 100 streams a connection: the logs share few connections, also after
the server was killed. Skipped (77) when the real parts were not built."""
import glob
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, part

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
LOGNODE = os.path.join(os.path.dirname(os.path.abspath(WASMCTL)), "tests", "lognode")
PODS = 250
# 90 streams on each of three, one for the watch; one more may be on its way out.
CONNECTIONS_MOST = 5
PATIENCE = 60


def connections(pid):
    """Established TCP connections of a process."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        known = {words[9] for words in (line.split() for line in f.readlines()[1:]) if words[3] == "01"}
    links = []
    for fd in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            links.append(os.readlink(fd))
        except OSError:
            continue  # closed meanwhile
    return sum(f"socket:[{inode}]" in links for inode in known)


class Tail:
    def __init__(self, kubeconfig):
        self.process = subprocess.Popen([WASMCTL, "tail", ".", "-n", "lognode", "--tail=0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env={**os.environ, "KUBECONFIG": kubeconfig})
        self.rest = b""

    def all_deliver(self, what):
        """Every Pod writes a line from now on; how many connections there were at most meanwhile."""
        began, seen, most = time.monotonic(), set(), 0
        while len(seen) < PODS:
            if time.monotonic() - began > PATIENCE:
                sys.exit(f"{what}: {len(seen)} of {PODS} Pods after {PATIENCE} s")
            if select.select([self.process.stdout], [], [], 1)[0]:
                piece = os.read(self.process.stdout.fileno(), 1 << 20)
                if not piece:
                    sys.exit(f"{what}: it has ended")
                lines, _, self.rest = (self.rest + piece).rpartition(b"\n")
                seen.update(re.findall(rb"^(pod-\d+) ", lines, re.M))
            most = max(most, connections(self.process.pid))
        print(f"{what}: all {PODS} after {time.monotonic() - began:.2f} s, {most} connections at most")
        if most > CONNECTIONS_MOST:
            sys.exit(f"{what}: {most} connections, {CONNECTIONS_MOST} are enough")

    def until_cut(self):
        end = time.monotonic() + PATIENCE
        while connections(self.process.pid):
            if time.monotonic() > end:
                sys.exit("the connections outlive the server")
            if select.select([self.process.stdout], [], [], 0.02)[0]:
                self.rest = (self.rest + os.read(self.process.stdout.fileno(), 1 << 20)).rpartition(b"\n")[2]


def check(cluster):
    node = subprocess.Popen([LOGNODE, "--kubeconfig", cluster.kubeconfig, "--node", "127.0.0.1", "--pods", str(PODS), "--rate", "5"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = node.stdout.readline()
        if not line or not json.loads(line)["ready"]:
            sys.exit(f"lognode ended with status {node.wait()}")
        tail = Tail(cluster.kubeconfig)
        try:
            tail.all_deliver("attached")
            server = cluster.kill_server()
            tail.until_cut()
            cluster.start_server(server)
            cluster.wait_ready()
            tail.all_deliver("attached again")
        finally:
            tail.process.terminate()
            tail.process.wait()
    finally:
        node.stdin.close()
        node.wait(timeout=60)


def main():
    if not all(part(name) for name in ("etcd", "kube-apiserver", "kubectl")) or not os.path.exists(LOGNODE):
        print("the real parts were not built: skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder)
        try:
            cluster.wait_ready()
            check(cluster)
        finally:
            cluster.stop()


main()
