"""Recordings for golden screens: three clouds with hosts, actors, providers and events, and what happens to them."""
import copy
import datetime

START = datetime.datetime(2026, 3, 4, 12, 0, 0)


def at(seconds):
    return (START + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def ready(status, reason, message=""):
    return {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message}]}


def host(name, friendly, cloud, zone, actors=0, status="True", reason="Heartbeating", cordoned=False):
    return {"metadata": {"name": name, "creationTimestamp": at(-7200), "labels": {"cloud": cloud, "zone": zone}},
            "spec": {"lattice": "default", "hostID": name.upper(), **({"unschedulable": True} if cordoned else {})},
            "status": {**ready(status, reason), "friendlyName": friendly, "version": "0.27.1", "actorCount": actors, "providerCount": 0}}


def actor(name, replicas, placements, namespace="default", status="True", reason="Ready", message="", image="file:///a/hello.wasm",
          labels=None):
    running = sum(n for _, n in placements)
    return {"metadata": {"name": name, "namespace": namespace, "creationTimestamp": at(-3600), "labels": labels or {}},
            "spec": {"lattice": "default", "replicas": replicas, "image": image},
            "status": {**ready(status, reason, message), "readyReplicas": running, "replicas": running,
                       "placements": [{"host": h, "replicas": n, "state": "Running", "ready": True} for h, n in placements]}}


def provider(name, replicas, placements, **kw):
    return actor(name, replicas, placements, image="file:///a/http.par", **kw)


def lattice(hosts, rtt=1, connected=True):
    return {"metadata": {"name": "default", "creationTimestamp": at(-7200)}, "spec": {"driver": "wasmcloud.v1", "id": "default"},
            "status": {**ready("True" if connected else "False", "HostsReady" if connected else "Disconnected"), "connected": connected,
                       "hosts": {"ready": hosts, "total": hosts}, "rttMillis": rtt}}


def event(name, reason, kind, about, seconds, message, warning=False, count=1):
    return {"metadata": {"name": name, "namespace": "default", "creationTimestamp": at(seconds)},
            "type": "Warning" if warning else "Normal", "reason": reason, "message": message, "count": count, "lastTimestamp": at(seconds),
            "involvedObject": {"kind": kind, "name": about}, "source": {"component": "wasm-operator"}}


KINDS = ["wasmactor", "wasmprovider", "latticehost", "lattice", "event"]


class Scene:
    """Lines of a recording, made one after the other; versions count up by themselves."""

    def __init__(self, *clusters):
        self.lines = []
        self.version = 0
        self.clusters = clusters

    def put(self, seconds, cluster, kind, obj):
        self.version += 1
        obj = copy.deepcopy(obj)
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.lines.append({"t": at(seconds), "cluster": cluster, "kind": kind, "put": obj})
        return self

    def delete(self, seconds, cluster, kind, key):
        self.lines.append({"t": at(seconds), "cluster": cluster, "kind": kind, "del": key})
        return self

    def state(self, seconds, cluster, state, why=None, kinds=KINDS):
        for kind in kinds:
            self.lines.append({"t": at(seconds), "cluster": cluster, "kind": kind, "state": state, **({"why": why} if why else {})})
        return self

    def live(self, seconds=1):
        for cluster in self.clusters:
            self.state(seconds, cluster, "live")
        return self


def cloud(scene, name, zones=("a", "b")):
    """A cluster with two hosts a zone, three actors, a provider and events."""
    hosts = [(f"n{name}{zone}{i}", f"{word}-{name}-{i}", zone) for zone in zones for i, word in enumerate(("quiet", "green"))]
    for host_name, friendly, zone in hosts:
        scene.put(0, name, "latticehost", host(host_name, friendly, name, zone, actors=2))
    scene.put(0, name, "lattice", lattice(len(hosts)))
    scene.put(0, name, "wasmactor", actor("web", 4, [(h[0], 1) for h in hosts], labels={"tier": "front"}))
    scene.put(0, name, "wasmactor", actor("queue", 2, [(hosts[0][0], 2)]))
    scene.put(0, name, "wasmactor", actor("mail", 1, [], namespace="post", status="False", reason="StartFailed",
                                          message="no such image", image="ghcr.io/example/mail:2"))
    scene.put(0, name, "wasmprovider", provider("http-server", 1, [(hosts[1][0], 1)]))
    scene.put(0, name, "event", event("e1", "Running", "WasmActor", "web", -60, "4 replicas run"))
    scene.put(0, name, "event", event("e2", "StartFailed", "WasmActor", "mail", -5, "cannot run on host: no such image", True, 3))
    return scene


def clouds(*names):
    scene = Scene(*names)
    for name in names:
        cloud(scene, name)
    return scene.live()
