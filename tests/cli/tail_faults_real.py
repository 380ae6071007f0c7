"""`wasmctl tail` over three real API servers, in the rarer troubles: credentials that expire, a watch whose past is gone, a reader that is
slow, more containers than streams, clocks that are set back, Pods that go while nobody can read them. Options: see tail_real.py.
"""
import json
import os
import subprocess
import sys
import urllib.request

import tail_real
from cluster import part
from tail_real import CONTEXTS, Failed, Run, pause, wait_for

MEMORY_MOST = 64 << 20

# Prints a credential that is good for a short while, without saying so: only a refusal tells.
PLUGIN = """#!{python}
import base64, json, os, subprocess, sys, time
def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
claims = {{"aud": [{url!r}], "iss": {url!r}, "sub": "system:serviceaccount:default:tail", "iat": int(time.time()) - 90, "nbf": int(time.time()) - 90,
           "exp": int(time.time()) - 56, "kubernetes.io": {{"namespace": "default", "serviceaccount": {{"name": "tail", "uid": {uid!r}}}}}}}
text = encode(json.dumps({{"alg": "RS256", "typ": "JWT"}}).encode()) + b"." + encode(json.dumps(claims).encode())
sign = subprocess.run(["openssl", "dgst", "-sha256", "-sign", {key!r}], input=text, capture_output=True, check=True).stdout
with open({count!r}, "a") as file:
    file.write("1")
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {{"token": (text + b"." + encode(sign)).decode()}}}}))
"""


def kubectl(cluster, *args):
    done = subprocess.run([part("kubectl"), "--kubeconfig", cluster.kubeconfig, *args], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"kubectl {' '.join(args)}: {done.stderr}")
    return done.stdout


def etcd(cluster, path, **body):
    request = urllib.request.Request(cluster.etcd + path, data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def token_expires(stage):
    """Every few seconds the credential of one cluster is no longer taken, while streams end and are opened again. (API servers take a
    token for a minute past its time, and one that they have seen for ten seconds more.)"""
    cluster = stage.clusters["near"]
    kubectl(cluster, "create", "serviceaccount", "tail", "-n", "default")
    kubectl(cluster, "create", "clusterrolebinding", "tail", "--clusterrole=cluster-admin", "--serviceaccount=default:tail")
    uid = kubectl(cluster, "get", "serviceaccount", "tail", "-n", "default", "-o", "jsonpath={.metadata.uid}")
    count, plugin = os.path.join(cluster.dir, "count"), os.path.join(cluster.dir, "plugin")
    with open(plugin, "w") as file:
        file.write(PLUGIN.format(python=sys.executable, url=f"https://127.0.0.1:{cluster.port}", uid=uid,
                                 key=os.path.join(cluster.dir, "sa.key"), count=count))
    os.chmod(plugin, 0o700)
    with open(stage.kubeconfig) as file:
        config = json.load(file)
    config["users"].append({"name": "brief", "user": {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}}})
    next(c for c in config["contexts"] if c["name"] == "near")["context"]["user"] = "brief"
    path = os.path.join(cluster.dir, "brief")
    with open(path, "w") as file:
        json.dump(config, file)
    run = Run(stage, "expired", kubeconfig=path, sources=min(stage.options.sources, 10))
    run.all_flow()
    run.each("POST", "/faults?what=eof&ms=1500&times=0")
    wait_for("the credential is asked for again", lambda: os.path.getsize(count) >= (4 if stage.options.long else 2), 90)
    run.each("DELETE", "/faults")
    run.all_flow()
    run.finish()
    run.account()
    print(f"  {os.path.getsize(count)} credentials")


def watch_too_old(stage):
    """What the watch would go on from is gone (410): Pods that came and went meanwhile are found by a new list."""
    run = Run(stage, "too-old", node=("--short", "200", "--short-ms", "2500", "--linger-ms", "6000"), sources=2)
    run.all_flow()
    cluster = stage.clusters["middle"]
    command = cluster.kill_server()
    # The history of the store is dropped up to now.
    revision = int(etcd(cluster, "/v3/maintenance/status")["header"]["revision"])
    etcd(cluster, "/v3/kv/compaction", revision=revision)
    pause(1)
    cluster.start_server(command)
    cluster.wait_ready()
    run.all_flow()
    answer = kubectl(cluster, "get", "--raw", f"/api/v1/pods?watch=1&resourceVersion={revision - 5}&timeoutSeconds=1")
    if '"code":410' not in answer:
        raise Failed(f"the past is not gone: {answer[:300]}")
    pause(4)
    ended = [(c, e["pod"], e["lines"]) for c, node in run.nodes.items() for e in node.control("GET", "/ended")]
    run.finish(ended)
    run.account()


def slow_reader(stage):
    """Nobody takes the output for a while: nothing is dropped, and little is kept."""
    run = Run(stage, "slow", rate=300, node=("--bytes", "250"), sources=20)
    run.all_flow()

    def peak():
        with open(f"/proc/{run.reader.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) << 10
    before = peak()
    run.reader.gate.clear()
    seconds = 30 if stage.options.long else 6
    pause(seconds)
    after = peak()
    run.reader.gate.set()
    run.all_flow()
    run.finish()
    run.account()
    print(f"  not read for {seconds} s ({seconds * 3 * 20 * 300 * 250 / 1e6:.0f} MB): {before / 1e6:.0f} MB at most before, {after / 1e6:.0f} MB then, "
          f"{run.reader.late} lines late")
    if after > MEMORY_MOST:
        raise Failed(f"{after} bytes of memory")


def more_than_streams(stage):
    """Containers that wait for a stream are read from their first line, also when they have ended or were started anew meanwhile."""
    run = Run(stage, "queue", "--max-log-requests=4", sources=10)
    wait_for("lines of those that have a stream", lambda: len(run.reader.at) >= 4 * len(CONTEXTS))
    run.each("POST", "/stop?pod=*")
    before = {(c.encode(), p.encode()): s["lines"] for c, node in run.nodes.items() for p, s in node.pods().items()}
    waiting = {key for key in before if key not in run.reader.at}
    run.reader.restarts = True
    for context, source in waiting:
        run.nodes[context.decode()].control("POST", f"/restart?pod={source.decode()}")
    pause(1)
    run.each("POST", "/end?pod=*")

    def anew():
        return all(run.reader.runs[key] for key in waiting)
    wait_for("both runs of those that waited", anew)
    run.finish()
    wrong = {key: run.reader.runs[key] for key in waiting if run.reader.runs[key] != [before[key]]}
    if wrong or len(waiting) != 6 * len(CONTEXTS):
        raise Failed(f"the runs before, of {len(waiting)}: {list(wrong.items())[:4]}")
    run.account()


def clock_set_back(stage):
    """The clocks of the nodes go back by 20 s; streams break before and after."""
    run = Run(stage, "clock")
    run.all_flow()
    run.each("POST", "/clock?pod=*&back_ms=20000")
    run.all_flow()
    run.each("POST", "/faults?what=cut&ms=700&lines=5&times=0")
    pause(4)
    run.each("DELETE", "/faults")
    run.all_flow()
    run.finish()
    # The times themselves are out of order: within each container the lines are not.
    run.account(disorder=run.reader.lines)


def gone_while_away(stage):
    """Pods end, and are deleted as soon as the API server is back: each is complete, or it is told that it may not be."""
    run = Run(stage, "gone", node=("--short", "240", "--short-ms", "3000", "--linger-ms", "100"), sources=2)
    run.all_flow()
    wait_for("short-lived Pods", lambda: sum(s.startswith(b"short") for _, s in list(run.reader.at)) > 20)
    cluster = stage.clusters["middle"]
    command = cluster.kill_server()
    pause(3)
    cluster.start_server(command)
    cluster.wait_ready()
    run.all_flow()
    pause(4)
    ended = [(c, e["pod"], e["lines"]) for c, node in run.nodes.items() for e in node.control("GET", "/ended")]
    run.finish()
    r = run.reader
    short = [(c, p) for c, p, n in ended if 0 <= r.seen(c, p) < n]
    told = {tuple(line.split()[:2]) for line in r.strange if "missing" in line}
    silent = [x for x in short if x not in told]
    print(f"gone: {len(ended)} Pods ended, {len(short)} not read to their end, {len(silent)} of them silently; {len(r.repeated)} repeated, "
          f"{len(r.holes)} holes", flush=True)
    if silent or r.repeated or r.holes or r.disorder:
        raise Failed(f"not told: {silent[:5]}; repeated: {r.repeated[:5]}; holes: {dict(r.holes)}; {r.disorder} out of order; {r.strange[:3]}")


if __name__ == "__main__":
    tail_real.main((token_expires, watch_too_old, slow_reader, more_than_streams, clock_set_back, gone_while_away), frozenset())
