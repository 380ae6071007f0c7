"""What the end-to-end tests share: the programs, the environment they run in, and waiting for conditions.

Nothing here sleeps for a fixed time and hopes: wait_for() looks until a condition holds or its time is up, and tells what it saw
last when it is not met.
"""
import http.client
import json
import os
import signal
import subprocess
import sys
import time

BUILD = os.environ.get("WASMCTL_BUILD", "build")
WASMCTL = os.path.join(BUILD, "wasmctl")
OPERATOR = os.path.join(BUILD, "wasm-operator")
LATCTL = os.path.join(BUILD, "tests", "latctl")
ENV_NAME = os.environ.get("WASMCTL_E2E_NAME", "e2e")
HELLO = os.environ.get("WASMCTL_TEST_HELLO", "")
HELLO_AGAIN = os.environ.get("WASMCTL_TEST_HELLO_AGAIN", "")


class Failed(Exception):
    """A check that did not hold."""


def run(*args, check=True, stdin=None, timeout=60, env=None):
    """Runs a program; returns (status, stdout, stderr)."""
    done = subprocess.run(args, input=stdin, capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout, done.stderr


def ctl(*args, **kw):
    """wasmctl against the environment; stdout."""
    return run(WASMCTL, *args, env={"KUBECONFIG": Env.get().kubeconfig}, **kw)[1]


def ctl_fails(*args, **kw):
    """wasmctl that must fail; (status, stderr)."""
    env = kw.pop("env", {"KUBECONFIG": Env.get().kubeconfig})
    status, out, err = run(WASMCTL, *args, check=False, env=env, **kw)
    if status == 0:
        raise Failed(f"wasmctl {' '.join(args)} succeeded, it should have failed:\n{out}")
    return status, err


def wait_for(what, look, timeout=30.0):
    """Looks until look() gives something true; returns it. look() may raise Failed or KeyError meanwhile."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = look()
            if value:
                return value
            last = value
        except (Failed, KeyError, IndexError, OSError, http.client.HTTPException) as e:
            last = e
        if time.monotonic() > end:
            raise Failed(f"not within {timeout:.0f} s: {what}; last seen: {last!r}")
        time.sleep(0.05)


class Env:
    """The environment made by `wasmctl dev up`."""
    one = None

    def __init__(self):
        self.read()

    @classmethod
    def get(cls):
        if cls.one is None:
            cls.one = Env()
        return cls.one

    def read(self):
        self.status = json.loads(run(WASMCTL, "dev", "status", "--name", ENV_NAME, "-o", "json", check=False)[1])
        self.kubeconfig = self.status["kubeconfig"]
        self.nats = self.status["nats"]

    def child(self, name):
        self.read()
        return next(c for c in self.status["children"] if c["name"] == name)

    def hosts(self):
        self.read()
        return [c for c in self.status["children"] if c["kind"] == "host"]


def dev(*args, timeout=120):
    return run(WASMCTL, "dev", *args, "--name", ENV_NAME, timeout=timeout)[1]


# Objects

def get(kind, name=None, namespace="default"):
    args = ["get", kind] + ([name] if name else []) + ["-n", namespace, "-o", "json"]
    return json.loads(ctl(*args))


def exists(kind, name, namespace="default"):
    status, _, err = run(WASMCTL, "get", kind, name, "-n", namespace, check=False,
                         env={"KUBECONFIG": Env.get().kubeconfig})
    if status != 0 and "NotFound" not in err:
        raise Failed(err)
    return status == 0


def condition(obj, kind):
    for c in obj.get("status", {}).get("conditions", []):
        if c["type"] == kind:
            return c
    return {"status": "", "reason": "", "message": ""}


def is_ready(obj):
    return (condition(obj, "Ready")["status"] == "True"
            and obj["status"].get("observedGeneration") == obj["metadata"]["generation"])


def apply(manifest):
    return ctl("apply", "-f", "-", stdin=json.dumps(manifest))


def actor(name, image=None, **spec):
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"image": image or f"file://{HELLO}", **spec}}


def provider(name, port, **spec):
    archive = os.path.join(parts_path("wasmcloud-host"), "http-server.par.gz")
    return {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmProvider",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"image": f"file://{archive}",
                     "config": {"routing_mode": "address", "default_address": f"127.0.0.1:{port}"}, **spec}}


HTTP_CAPABILITY = "wasi:http/incoming-handler"


def parts_path(part):
    script = os.path.join(os.path.dirname(__file__), "..", "..", "dev", "parts", "build.sh")
    return run(script, "--path", part)[1].strip()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def delete(kind, name):
    ctl("delete", kind, name, "--ignore-not-found", "--timeout=60s", timeout=90)


# The lattice as its hosts see it, without the operator

def control(subject):
    """One request of the control interface, answered by a host itself."""
    answer = json.loads(run(LATCTL, "--server", Env.get().nats, "raw", f"wasmbus.ctl.v1.default.{subject}", timeout=20)[1])
    if not answer["success"]:
        raise Failed(f"{subject}: {answer['message']}")
    return answer.get("response")


def inventory(host_id):
    return control(f"host.get.{host_id}")


def running_on(component):
    """host id -> count of a component, asked of every host that answers."""
    found = {}
    for host in Env.get().hosts():
        if host["state"] != "running":
            continue
        for c in inventory(host["hostID"]).get("components", []):
            if c["id"] == component:
                found[host["hostID"]] = c["max_instances"]
    return found


def links_of(component):
    return [l for l in control("link.get") if component in (l["source_id"], l["target"])]


def http_get(port, path="/", timeout=5):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def answers(port, text="Hello"):
    status, body = http_get(port)
    if status != 200 or text not in body:
        raise Failed(f"HTTP {status}: {body[:200]!r}")
    return body


# What many tests do

def expect(holds, text):
    if not holds:
        raise Failed(text)


def wait_ready(name, kind="wasmactor", timeout=60):
    return wait_for(f"{kind} {name} is Ready", lambda: (o := get(kind, name)) and is_ready(o) and o, timeout)


def http_pair(name, port, **spec):
    """A provider and an actor behind it."""
    apply(provider(f"{name}-http", port))
    apply(actor(name, capabilities=[{"interface": HTTP_CAPABILITY, "provider": f"{name}-http"}], **spec))
    wait_ready(f"{name}-http", "wasmprovider")
    wait_ready(name)


def remove_pair(name):
    delete("wasmactor", name)
    delete("wasmprovider", f"{name}-http")


# Running tests

TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


def main(name):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    try:
        TESTS[name]()
    except Failed as e:
        print(f"FAILED {name}: {e}")
        show_state()
        return 1
    print(f"ok {name} ({time.monotonic() - began:.1f} s)")
    return 0


def show_state():
    for args in (["get", "wasmactors,wasmproviders,lattices,latticehosts", "-A", "-o", "wide"], ["events", "-A"]):
        status, out, err = run(WASMCTL, *args, check=False, env={"KUBECONFIG": Env.get().kubeconfig})
        print(f"--- wasmctl {' '.join(args)} ({status})\n{out}{err}")
    print(f"--- operator log\n{run(WASMCTL, 'dev', 'logs', '--name', ENV_NAME, 'operator', '--tail', '60', check=False)[1]}")
