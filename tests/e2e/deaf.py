"""Deaf hosts: v1 hosts behind a leaf node lose their watch of links and configuration when the hub's NATS server restarts, and
serve on. A hub, a leaf and three hosts of its own, and a Lattice object for them."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from harness import (HTTP_CAPABILITY, LATCTL, Failed, actor, answers, apply, condition, ctl, delete, expect, free_port, get,
                     http_get, parts_path, provider, run, test, wait_for, wait_ready)

HUB = """server_name: hub
listen: 127.0.0.1:{hub}
jetstream {{ store_dir: "{folder}/js", domain: hub }}
leafnodes {{ listen: 127.0.0.1:{leafnodes} }}
accounts {{
  SYS {{ users: [{{user: sys, password: sys}}] }}
  WASM {{ jetstream: enabled, users: [{{user: leaf, password: leaf}}, {{user: admin, password: admin}}] }}
}}
system_account: SYS
no_auth_user: admin
"""
LEAF = """server_name: leaf
listen: 127.0.0.1:{leaf}
leafnodes {{ reconnect: "1s", remotes: [
  {{ url: "nats-leaf://leaf:leaf@127.0.0.1:{leafnodes}", account: WASM, ignore_discovered_servers: true }} ] }}
accounts {{ SYS {{ users: [{{user: sys, password: sys}}] }}
  WASM {{ users: [{{user: local, password: local}}] }} }}
system_account: SYS
no_auth_user: local
"""


class Leafy:
    """The hub, the leaf node and the hosts behind it."""

    def __init__(self, zones):
        self.folder = tempfile.mkdtemp(prefix="wasmctl-leafy-")
        self.ports = {name: free_port() for name in ("hub", "leaf", "leafnodes")}
        self.processes = {}
        self.zones = zones

    def path(self, name):
        return os.path.join(self.folder, name)

    def server(self, name):
        self.start(name, [os.path.join(parts_path("nats-server"), "nats-server"), "-c", self.path(f"{name}.conf")])

    def start(self, name, command, **env):
        with open(self.path(f"{name}.log"), "a") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True,
                                                    env={**os.environ, **env})

    def ask(self, server, subject, body=""):
        out = run(LATCTL, "--server", f"nats://127.0.0.1:{self.ports[server]}", "raw", subject, *([body] if body else []),
                  timeout=20)[1]
        return json.loads(out)

    def consumers(self):
        answer = self.ask("hub", "$JS.hub.API.CONSUMER.LIST.KV_LATTICEDATA_leafy")
        return [c for c in answer["consumers"] or [] if c.get("push_bound")]

    def __enter__(self):
        try:
            for name, text in (("hub", HUB), ("leaf", LEAF)):
                with open(self.path(f"{name}.conf"), "w") as f:
                    f.write(text.format(folder=self.folder, **self.ports))
                self.server(name)
            wait_for("JetStream answers", lambda: self.ask("leaf", "$JS.hub.API.INFO")["type"])
            binary = os.path.join(parts_path("wasmcloud-host"), "wasmcloud-host")
            for zone in self.zones:
                os.mkdir(self.path(zone))
                seed = json.loads(run(binary, "--gen-seed")[1])["seed"]
                self.start(zone, [binary, f"--nats=nats://127.0.0.1:{self.ports['leaf']}", "--js-domain=hub",
                                  "--lattice=leafy", "--heartbeat-seconds=2", "--allow-file", "--restart",
                                  f"--label=zone={zone}"],
                           WASMCLOUD_HOST_SEED=seed, TMPDIR=self.path(zone))
            wait_for("every host watches the store", lambda: len(self.consumers()) == len(self.zones))
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client(threading.Thread):
    """Requests at a fixed rate to whichever of the ports takes the connection, as a load balancer would."""

    def __init__(self, ports, rate):
        super().__init__(daemon=True)
        self.ports, self.rate = ports, rate
        self.stopped = threading.Event()
        self.sent, self.lost = 0, []

    def one(self, n):
        for port in (self.ports[n % 2], self.ports[(n + 1) % 2]):
            try:
                status, _ = http_get(port, timeout=5)
                if status != 200:
                    self.lost.append(f"HTTP {status}")
                return
            except ConnectionRefusedError:
                continue
            except OSError as e:
                self.lost.append(repr(e))
                return
            except Exception as e:  # a cut answer
                self.lost.append(repr(e))
                return
        self.lost.append("no port takes connections")

    def run(self):
        began, threads = time.monotonic(), []
        while not self.stopped.wait(max(0, began + self.sent / self.rate - time.monotonic())):
            t = threading.Thread(target=self.one, args=(self.sent,), daemon=True)
            t.start()
            threads.append(t)
            self.sent += 1
        for t in threads:
            t.join(timeout=10)

    def end(self):
        self.stopped.set()
        self.join(timeout=30)


def synced():
    """status and reason of the condition Synced of each host of the lattice"""
    return [(c["status"], c["reason"]) for h in get("latticehosts")["items"] if h["spec"]["lattice"] == "leafy"
            for c in [condition(h, "Synced")]]


def capabilities(addresses):
    return [{"interface": HTTP_CAPABILITY, "provider": f"leafy-{zone}", "name": f"at-{zone}",
             "config": {"address": f"127.0.0.1:{port}"}} for zone, port in addresses.items()]


def pinned(zone):
    return {"placement": {"hostSelector": {"matchLabels": {"zone": zone}}}, "lattice": "leafy"}


@test
def deaf_hosts_are_healed():
    ports, later = {z: free_port() for z in "xy"}, {z: free_port() for z in "xy"}
    with Leafy("xyz") as leafy:
        apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "leafy"},
               "spec": {"driver": "wasmcloud.v1", "id": "leafy",
                        "nats": {"servers": [f"nats://127.0.0.1:{leafy.ports['hub']}"], "jetStreamDomain": "hub"}}})
        for zone in ports:
            apply(provider(f"leafy-{zone}", ports[zone], **pinned(zone)))
        spec = {"replicas": 2, "lattice": "leafy"}
        apply(actor("leafy", capabilities=capabilities(ports), **spec))
        wait_ready("leafy")
        for port in ports.values():
            wait_for("both providers answer", lambda p=port: answers(p))
        wait_for("every host hears", lambda: synced() == [("True", "Watching")] * 3)

        client = Client(list(ports.values()), 100)
        client.start()
        os.killpg(leafy.processes["hub"].pid, signal.SIGKILL)
        leafy.processes["hub"].wait()
        leafy.server("hub")
        wait_for("JetStream answers again", lambda: leafy.ask("leaf", "$JS.hub.API.INFO")["type"])
        began = time.monotonic()
        expect(leafy.consumers() == [], "the hosts have kept their watches: this test shows nothing")

        # A link that changes now must not be taken from hosts that would miss the new one.
        apply(actor("leafy", capabilities=capabilities(later), **spec))
        wait_for("all are found deaf", lambda: sum(s != ("True", "Watching") for s in synced()) == 3
                 and any(s[1] in ("Deaf", "Restarting") for s in synced()), 60)
        print(f"found deaf: {time.monotonic() - began:.1f} s")
        wait_for("all hear again", lambda: synced() == [("True", "Watching")] * 3 and len(leafy.consumers()) == 3, 90)
        print(f"all restarted one by one: {time.monotonic() - began:.1f} s")
        wait_ready("leafy")
        for port in later.values():
            wait_for("the changed link has arrived", lambda p=port: answers(p))
        print(f"the changed links have arrived everywhere: {time.monotonic() - began:.1f} s")
        client.end()
        # The old addresses end with the links; until then only what was in flight may be lost.
        refused = [l for l in client.lost if l.startswith("no port")]
        lost = [l for l in client.lost if not l.startswith("no port")]
        print(f"{client.sent} requests, {len(lost)} lost, {len(refused)} after the addresses had changed")
        expect(len(lost) <= 6, f"{len(lost)} of {client.sent} requests were lost: {lost[:10]}")
        for word in ("Deaf", "Restarting", "Restarted"):
            wait_for(f"an Event {word} of each host",
                     lambda w=word: (events := ctl("events", "-A")).count(w) >= 3 or expect(False, events))
        for kind, name in (("wasmactor", "leafy"), ("wasmprovider", "leafy-x"), ("wasmprovider", "leafy-y"),
                           ("lattice", "leafy")):
            delete(kind, name)


@test
def store_away_stops_nothing():
    """While JetStream is unreachable hosts can start nothing: nothing is stopped, moved or started."""
    with Leafy("x") as leafy:
        apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "leafy"},
               "spec": {"driver": "wasmcloud.v1", "id": "leafy",
                        "nats": {"servers": [f"nats://127.0.0.1:{leafy.ports['leaf']}"], "jetStreamDomain": "hub"}}})
        apply(actor("kept", lattice="leafy"))
        wait_ready("kept")
        os.killpg(leafy.processes["hub"].pid, signal.SIGKILL)
        leafy.processes["hub"].wait()
        wait_for("the Lattice tells", lambda: condition(get("lattice", "leafy"), "StoreReady")["status"] == "False")
        expect(condition(get("wasmactor", "kept"), "Ready")["status"] == "True", "what runs is not ready any more")
        apply(actor("kept", lattice="leafy", replicas=0))
        obj = wait_for("the actor tells that it waits",
                       lambda: (o := get("wasmactor", "kept")) and condition(o, "Ready")["reason"] == "StoreUnreachable" and o)
        expect(obj["status"]["replicas"] == 1, json.dumps(obj["status"]))
        leafy.server("hub")
        wait_for("it is done when JetStream is back", lambda: get("wasmactor", "kept")["status"]["replicas"] == 0)
        delete("wasmactor", "kept")
        delete("lattice", "leafy")
