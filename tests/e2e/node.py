"""The stand-in node: the processes of the environment are Pods whose logs come through the real API server, and faults are what
they say. Lines that must be exact come from lognode, a second node whose Pods write numbered lines."""
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading

from harness import BUILD, Env, Failed, dev, expect, parts_path, run, test, wait_for

LOGNODE = os.path.join(BUILD, "tests", "lognode")
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


def pki(name):
    return os.path.join(Env.get().status["folder"], "pki", name)


def kubectl(*args, check=True):
    return run(os.path.join(parts_path("kubectl"), "kubectl"), *args, check=check, timeout=60,
               env={"KUBECONFIG": Env.get().kubeconfig})


def objects(kind, namespace):
    return json.loads(kubectl("get", kind, "-n", namespace, "-o", "json")[1])["items"]


def pod(name, namespace="wasmcloud"):
    return json.loads(kubectl("get", "pod", name, "-n", namespace, "-o", "json")[1])


def container(name):
    return pod(name)["status"]["containerStatuses"][0]


def logs(name, *args, namespace="wasmcloud"):
    return kubectl("logs", "-n", namespace, name, *args)[1].splitlines()


def request(port, method, path, cert=None):
    if cert is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    else:
        context = ssl.create_default_context(cafile=pki("ca.crt"))
        if cert:
            context.load_cert_chain(pki(cert + ".crt"), pki(cert + ".key"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Follow:
    """A request for a log through the API server, read by a thread."""

    def __init__(self, name, query="follow=true", namespace="lognode"):
        context = ssl.create_default_context(cafile=pki("ca.crt"))
        context.load_cert_chain(pki("admin.crt"), pki("admin.key"))
        server = Env.get().status["apiServer"].removeprefix("https://")
        self.connection = http.client.HTTPSConnection(server, timeout=60, context=context)
        self.text, self.status, self.error = b"", None, None
        self.ended = threading.Event()
        threading.Thread(target=self.read, args=(f"/api/v1/namespaces/{namespace}/pods/{name}/log?{query}",), daemon=True).start()

    def read(self, path):
        try:
            self.connection.request("GET", path)
            answer = self.connection.getresponse()
            self.status = answer.status
            while piece := answer.read1(65536):
                self.text += piece
        except (OSError, http.client.HTTPException) as e:
            self.error = e
        self.ended.set()

    def lines(self):
        return self.text.decode().split("\n")[:-1]

    def rest(self):
        """What follows the last newline."""
        return self.text.decode().split("\n")[-1]

    def wait_end(self):
        wait_for("the log ends", self.ended.is_set)
        return self

    def close(self):
        """The thread that reads then comes to the end."""
        if self.connection.sock:
            self.connection.sock.shutdown(socket.SHUT_RDWR)


class Lognode:
    def __init__(self, *args):
        self.process = subprocess.Popen(
            [LOGNODE, "--kubeconfig", Env.get().kubeconfig, "--cert", pki("node.crt"), "--key", pki("node.key"),
             "--client-ca", pki("ca.crt"), "--client-name", "kube-apiserver-kubelet-client", *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"lognode ended with status {self.process.wait()}")
        self.control_port = json.loads(line)["control"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=20)

    def control(self, method, path):
        status, body = request(self.control_port, method, path)
        expect(status == 200, f"{method} {path}: {status} {body}")
        return json.loads(body)

    def fault(self, query):
        return self.control("POST", f"/faults?{query}")["id"]

    def clear(self):
        self.control("DELETE", "/faults")

    def pod(self, name):
        return next(p for p in self.control("GET", "/pods") if p["pod"] == name)


def numbers(lines):
    return [int(line.split()[1]) for line in lines]


def expect_row(lines, first=None, last=None):
    """Consecutive numbers, each once."""
    n = numbers(lines)
    expect(n and n == list(range(n[0], n[0] + len(n))), f"lines are missing, repeated or out of order: {n[:5]}...{n[-5:]}")
    expect(first is None or n[0] == first, f"begins with {n[0]}, not {first}")
    expect(last is None or n[-1] == last, f"ends with {n[-1]}, not {last}")


@test
def node_shows_processes_as_pods():
    context = Env.get().status["context"]
    node = next(n for n in objects("nodes", "default") if n["metadata"]["name"] == context)
    ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
    expect(ready["status"] == "True", f"the node is not ready: {ready}")
    lease = json.loads(kubectl("get", "lease", context, "-n", "kube-node-lease", "-o", "json")[1])
    expect(lease["spec"]["holderIdentity"] == context, f"no heartbeat: {lease}")

    for host in Env.get().hosts():
        name = f"wasmcloud-{host['name']}"
        found = pod(name)
        labels = found["metadata"]["labels"]
        expect(labels["app"] == "wasmcloud-host" and labels["wasmctl.dev/host-id"] == host["hostID"], f"labels: {labels}")
        expect(all(labels[k] == v for k, v in host["labels"].items()), f"labels: {labels}, the host has {host['labels']}")
        expect(host["state"] != "running" or found["status"]["containerStatuses"][0]["ready"], f"{name}: {found['status']}")

        stamped = logs(name, "--timestamps", "--tail", "5")
        expect(stamped and all(re.match(STAMP + " ", line) for line in stamped), f"no timestamps: {stamped}")
        times = [line.split(" ", 1)[0] for line in stamped]
        expect(times == sorted(set(times)), f"times do not grow: {times}")
        plain = dev("logs", host["name"], "--tail", "5").splitlines()
        expect([line.split(" ", 1)[1] for line in stamped] == plain, f"{stamped}\nis not what `dev logs` shows:\n{plain}")
        expect(len(kubectl("logs", "-n", "wasmcloud", name, "--limit-bytes", "40")[1]) == 40, "--limit-bytes is not kept")
        # Whole seconds, as the API has them: the line itself comes again, none of an earlier second does.
        since = logs(name, "--timestamps", "--since-time", times[-1][:19] + "Z")
        expect(since and since[-1] == stamped[-1] and all(line[:19] >= times[-1][:19] for line in since), f"{since}")

    names = {p["metadata"]["name"] for p in objects("pods", "wasmcloud")}
    expect({"wasmcloud-nats", "wasm-operator"} <= names, f"pods: {names}")
    expect(logs("wasmcloud-nats", "--tail", "1") == dev("logs", "nats", "--tail", "1").splitlines(), "other lines of nats")


@test
def node_asks_who_reads():
    port = Env.get().child("node")["ports"]["https"]
    host = Env.get().hosts()[0]["name"]
    path = f"/containerLogs/wasmcloud/wasmcloud-{host}/host?tailLines=1"
    status, body = request(port, "GET", path, "kubelet-client")
    expect(status == 200 and body.count("\n") == 1, f"{status} {body}")
    status, body = request(port, "GET", path, "admin")
    expect(status == 403, f"the administrator's certificate reads: {status} {body}")
    try:
        status, body = request(port, "GET", path, "")
        raise Failed(f"without certificate: {status} {body}")
    except (ssl.SSLError, ConnectionError):
        pass
    for query, wanted in (("tailLines=-1", 422), ("tailLines=x", 400), ("limitBytes=0", 422), ("sinceSeconds=0", 422),
                          ("sinceSeconds=1&sinceTime=2026-01-02T03:04:05Z", 422), ("sinceTime=yesterday", 400), ("previous=1&x=%zz", None)):
        status, body = request(port, "GET", f"/containerLogs/wasmcloud/wasmcloud-{host}/host?{query}", "kubelet-client")
        expect(status == wanted or wanted is None and status in (200, 400), f"{query}: {status} {body}")
    for path, wanted in (("/containerLogs/wasmcloud/nobody/host", 404), (f"/containerLogs/wasmcloud/wasmcloud-{host}/none", 404),
                         ("/healthz", 200), ("/pods", 200), ("/exec/a/b/c", 404)):
        status, body = request(port, "GET", path, "kubelet-client")
        expect(status == wanted, f"{path}: {status} {body}")


@test
def node_tells_of_restarts():
    host = Env.get().hosts()[-1]
    name = f"wasmcloud-{host['name']}"
    before = container(name)
    follow = Follow(name, "follow=true&timestamps=true", namespace="wasmcloud")
    wait_for("the log is followed", lambda: follow.lines())
    dev("host", "kill", host["name"])
    # The container has ended: so does the log, without an error.
    follow.wait_end()
    expect(follow.status == 200 and follow.error is None, f"{follow.status} {follow.error}")
    expect(follow.lines() == logs(name, "--timestamps"), "what was followed is not what is there")
    ended = wait_for("the end is told", lambda: container(name)["state"].get("terminated"))
    expect(ended["signal"] == 9 and ended["exitCode"] == 137 and ended["reason"] == "Error", f"{ended}")

    dev("host", "start", host["name"])
    now = wait_for("the start is told", lambda: (c := container(name)) and c["restartCount"] == before["restartCount"] + 1 and c)
    expect(now["containerID"] != before["containerID"] and now["state"].get("running"), f"{now}")
    expect(now["lastState"]["terminated"]["containerID"] == before["containerID"], f"{now}")
    expect(logs(name, "-p", "--timestamps") == follow.lines(), "--previous gives other lines")
    expect(not set(logs(name, "--timestamps")) & set(follow.lines()), "the new container gives lines of the old one")

    uid = pod(name)["metadata"]["uid"]
    kubectl("delete", "pod", "-n", "wasmcloud", name, "--wait=false")
    wait_for("a deleted pod comes back", lambda: pod(name)["metadata"]["uid"] != uid and container(name)["ready"])


@test
def node_serves_numbered_lines():
    with Lognode("--pods", "3", "--rate", "500", "--bytes", "200", "--short", "120", "--short-ms", "400", "--linger-ms", "300") as node:
        follow = Follow("pod-0")
        wait_for("lines come", lambda: len(follow.lines()) > 1000)
        tail = Follow("pod-1", "tailLines=7&timestamps=true").wait_end().lines()
        expect(len(tail) == 7, f"tailLines=7 gives {len(tail)}")
        expect_row([line.split(" ", 1)[1] for line in tail])
        expect(all(re.match(STAMP, line) for line in tail), f"{tail}")
        wait_for("short-lived pods are over", lambda: len(node.control("GET", "/ended")) >= 2)

        # Put aside: whoever reads goes on, whoever comes finds only what is new.
        node.control("POST", "/rotate?pod=pod-0")
        first = node.pod("pod-0")["first"]
        expect_row(wait_for("new lines", lambda: Follow("pod-0", "limitBytes=100000").wait_end().lines())[:50], first=first)

        node.control("POST", "/restart?pod=pod-0")
        follow.wait_end()
        expect_row(follow.lines(), first=1)
        old = Follow("pod-0", "previous=true").wait_end().lines()
        expect_row(old, first=first, last=numbers(follow.lines())[-1])
        node.control("POST", "/stop")
        last = node.pod("pod-2")["lines"]
        expect_row(Follow("pod-2", "").wait_end().lines(), first=1, last=last)
    wait_for("its pods are gone", lambda: not objects("pods", "lognode"))
    names = [n["metadata"]["name"] for n in objects("nodes", "default")]
    expect(names == [Env.get().status["context"]], f"nodes that are left: {names}")


@test
def node_faults():
    with Lognode("--pods", "2", "--rate", "200") as node:
        wait_for("lines are written", lambda: node.pod("pod-0")["lines"] > 60)
        node.fault("what=cut&lines=50")
        cut = Follow("pod-0").wait_end()
        expect_row(cut.lines(), first=1, last=50)
        expect(cut.rest().startswith("pod-0 5"), f"no half line at the end: {cut.rest()!r}")
        node.clear()

        node.fault("what=eof&lines=30&times=1")
        expect_row(Follow("pod-0").wait_end().lines(), first=1, last=30)
        expect(node.control("GET", "/faults") == [], "a rule for one time is still there")

        stall = Follow("pod-1")
        wait_for("lines come", lambda: len(stall.lines()) > 10)
        node.fault("what=stall&pod=pod-1&lines=20")
        stuck = wait_for("it stalls", lambda: [s for s in node.control("GET", "/streams") if s["stalled"]])[0]
        wait_for("what was given arrived", lambda: len(stall.lines()) == stuck["lines"])
        wait_for("more is written", lambda: node.pod("pod-1")["lines"] > stuck["lines"] + 100)
        expect(len(stall.lines()) == stuck["lines"], "lines came although it stalls")
        node.clear()
        wait_for("it goes on", lambda: len(stall.lines()) > stuck["lines"] + 100)
        expect_row(stall.lines(), first=1)
        stall.close()

        node.fault("what=delay&ms=300")
        late = Follow("pod-0", "follow=true&tailLines=1")
        wait_for("late lines", lambda: len(late.lines()) > 20)
        newest = int(late.lines()[-1].split()[2])
        written = node.pod("pod-0")["lines"]
        behind = (written - numbers(late.lines())[-1]) / 200
        print(f"a line delayed by 0.3 s is {behind:.3f} s behind")
        expect(newest and behind >= 0.29, "lines come earlier than the delay")
        expect_row(late.lines())
        late.close()
        node.clear()

        for what, wanted in (("refuse", (500, 502, 503)), ("status&status=500", (500,)), ("status&status=404", (404,))):
            node.fault(f"what={what}&pod=pod-0")
            answer = Follow("pod-0", "").wait_end()
            expect(answer.status in wanted, f"{what}: {answer.status} {answer.text!r}")
            expect(Follow("pod-1", "tailLines=1").wait_end().status == 200, f"{what} hits another pod")
            node.clear()

        node.fault("what=hang&pod=pod-0")
        hung = Follow("pod-0")
        wait_for("a request hangs", lambda: [s for s in node.control("GET", "/streams") if s["stalled"]])
        expect(not hung.ended.is_set() and hung.status is None, "it was answered")
        node.clear()
        # Closed without an answer: the API server says so, or asks again.
        wait_for("it is over", lambda: hung.lines() or hung.ended.is_set() and hung.status in (500, 502, 503))
        hung.close()
        for path in ("/faults?what=nothing", "/faults?what=cut&lines=-1", "/faults?what=status&status=200"):
            expect(request(node.control_port, "POST", path)[0] == 400, f"{path} is taken")
