"""The table of faults in docs/operator.md: for each, what the condition, the Event and `wasmctl describe` say, and that the
operator goes on by itself when it is mended. And what /metrics says."""
import http.client
import json
import os
import shutil
import subprocess
import tempfile

from harness import (ENV_NAME, HELLO, HTTP_CAPABILITY, WASMCTL, Env, actor, answers, apply, condition, ctl, ctl_fails,
                     delete, dev, exists, expect, free_port, get, http_get, http_pair, is_ready, parts_path, provider,
                     remove_pair, run, running_on, test, wait_for, wait_ready)
from nats_jwt import Realm
from registry import Registry
from wasm_edit import trapping


def events_of(kind, name):
    """The Events about an object, as the API has them."""
    uid = get(kind, name)["metadata"]["uid"]
    events = json.loads(ctl("get", "events.events.k8s.io", "-n", "default", "-o", "json"))["items"]
    return [e for e in events if e["regarding"].get("uid") == uid]


def remove_lattice(name, actor_name):
    """With an actor that uses it, connected or not."""
    ctl("delete", "lattice", name, "--wait=false")
    delete("wasmactor", actor_name)
    wait_for(f"lattice {name} is gone", lambda: not exists("lattice", name))


def told(kind, name, reason, *words, type="Ready", status="False", event=True, timeout=30):
    """The condition, an Event and describe give this reason, and a message with all these words. event=False: there is none."""
    def says():
        c = condition(get(kind, name), type)
        return c if c["reason"] == reason and all(w in c["message"] for w in words) else expect(False, str(c))

    c = wait_for(f"{kind} {name}: {type} says {reason}: {words}", says, timeout)
    expect(c["status"] == status, f"{kind} {name}: {type} is {c['status']}, not {status}")

    def event_says():
        lines = [l for l in ctl("events", "--for", f"{kind}/{name}").splitlines() if f" {reason} " in l]
        return [l for l in lines if all(w in l for w in words)] or expect(False, "\n".join(lines))

    if event:
        wait_for(f"an Event of {kind} {name} says {reason}: {words}", event_says)
    else:
        expect(not [e for e in events_of(kind, name) if e["reason"] == reason], f"an Event of {kind} {name} says {reason}")
    out = ctl("describe", kind, name)
    conditions = [l.split() for l in out.splitlines() if l.strip().startswith(f"{type} ")]
    expect(any(l[1] == status and reason in l for l in conditions), f"describe does not give {reason}:\n{out}")
    expect(c["message"] in out, f"describe does not give the message {c['message']!r}:\n{out}")
    print(f"{reason}: {c['message']}")


# Faults in what is asked for

@test
def fault_no_fitting_host():
    apply(actor("unfit", placement={"hostSelector": {"matchLabels": {"zone": "nowhere"}}}))
    told("wasmactor", "unfit", "NoFittingHost", "0/3 hosts fit: 3 do not match zone=nowhere", "spec.placement.hostSelector")
    apply(actor("unfit"))
    wait_ready("unfit")
    delete("wasmactor", "unfit")


@test
def fault_all_cordoned():
    hosts = [h["hostID"].lower() for h in Env.get().hosts()]
    try:
        for host in hosts:
            ctl("cordon", host)
        apply(actor("shut-out"))
        told("wasmactor", "shut-out", "NoFittingHost", "0/3 hosts fit: 3 cordoned", "wasmctl uncordon")
        expect(running_on("default_shut-out") == {}, "it runs on a cordoned host")
    finally:
        for host in hosts:
            ctl("uncordon", host)
    wait_ready("shut-out")
    delete("wasmactor", "shut-out")


@test
def fault_secret_missing():
    """Of configFrom, of a capability's configFrom, and of imagePullSecret; each is taken when it is made."""
    def secret(name, data, **more):
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "stringData": data, **more})

    port = free_port()
    apply(provider("secretive-http", port))
    capability = {"interface": HTTP_CAPABILITY, "provider": "secretive-http", "configFrom": [{"secretRef": {"name": "gone-2"}}]}
    apply(actor("secretive", configFrom=[{"secretRef": {"name": "gone-1"}}]))
    apply(actor("secretive-link", capabilities=[capability]))
    apply(actor("secretive-pull", image="registry.invalid/team/x:1", imagePullSecret="gone-3"))
    try:
        told("wasmactor", "secretive", "ConfigMissing", "Secret default/gone-1", "spec.configFrom", "does not exist", "create it")
        told("wasmactor", "secretive-link", "ConfigMissing", "Secret default/gone-2", "configFrom of capability \"default\"")
        told("wasmactor", "secretive-pull", "PullSecretMissing", "Secret default/gone-3", "spec.imagePullSecret", "create it")
        expect(running_on("default_secretive") == {}, "it was started without its configuration")
        secret("gone-1", {"a": "b"})
        secret("gone-2", {"timeout_ms": "1000"})
        wait_ready("secretive")
        wait_ready("secretive-link")
        wait_for("it serves", lambda: answers(port))
        secret("gone-3", {".dockerconfigjson": "{\"auths\":{}}"}, type="kubernetes.io/dockerconfigjson")
        told("wasmactor", "secretive-pull", "PullSecretInvalid", "it has no credentials for registry registry.invalid")
    finally:
        for name in ("secretive", "secretive-link", "secretive-pull"):
            delete("wasmactor", name)
        delete("wasmprovider", "secretive-http")
        for name in ("gone-1", "gone-2", "gone-3"):
            ctl("delete", "secret", name, "--ignore-not-found")


@test
def fault_bad_capability():
    """The other end does not exist, is not named, is on another lattice; the slot is taken; the interface is no interface."""
    port = free_port()
    apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "elsewhere"},
           "spec": {"driver": "wasmcloud.v1", "nats": {"servers": [Env.get().nats]}}})
    apply(provider("far", port, lattice="elsewhere", placement={"hostSelector": {"matchLabels": {"no": "host"}}}))
    rows = [({"provider": "nobody"}, "ProviderNotFound", "WasmProvider default/nobody", "field provider", "create it"),
            ({"actor": "nobody"}, "ActorNotFound", "WasmActor default/nobody", "field actor", "create it"),
            ({}, "CapabilityUnsupported", "names neither provider nor actor", "field provider"),
            ({"provider": "far"}, "OtherLattice", "is in lattice elsewhere, not in default", "spec.lattice")]
    try:
        for i, (fields, *_) in enumerate(rows):
            apply(actor(f"cap-{i}", capabilities=[{"interface": HTTP_CAPABILITY, "name": "web", **fields}]))
        for i, (_, *words) in enumerate(rows):
            told("wasmactor", f"cap-{i}", words[0], "capability \"web\"", *words[1:])
        status, err = ctl_fails("apply", "-f", "-", stdin=json.dumps(actor("cap-x", capabilities=[{"interface": "http"}])))
        expect(status == 1 and "spec.capabilities[0].interface" in err, err)
        # What was missing appears.
        apply(provider("nobody", port))
        wait_ready("cap-0")
        wait_for("it serves", lambda: answers(port))
    finally:
        for i in range(len(rows)):
            delete("wasmactor", f"cap-{i}")
        delete("wasmprovider", "nobody")
        delete("wasmprovider", "far")
        ctl("delete", "lattice", "elsewhere")


# Faults of images

class PlainHost:
    """A host that may use this registry without TLS."""

    def __init__(self, registry):
        self.folder = tempfile.mkdtemp(prefix="wasmctl-e2e-host-")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.join(parts_path("wasmcloud-host"), "wasmcloud-host"), "--nats", Env.get().nats, "--label", "registry=plain",
             "--heartbeat-seconds", "2", "--allow-insecure", registry.address],
            stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": self.folder})

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@test
def fault_images():
    """A tag that does not exist, and a registry that wants a password: the host's words reach the person, and one Event counts
    the tries."""
    with open(HELLO, "rb") as f:
        registry = Registry("team/hello", "1", f.read(), "puller", "s3cret")
    host = PlainHost(registry)
    where = {"placement": {"hostSelector": {"matchLabels": {"registry": "plain"}}}}
    config = {"auths": {registry.address: {"username": "puller", "password": "s3cret"}}}
    apply({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
           "metadata": {"name": "plain", "namespace": "default"}, "stringData": {".dockerconfigjson": json.dumps(config)}})
    try:
        apply(actor("no-password", image=f"{registry.address}/team/hello:1", **where))
        told("wasmactor", "no-password", "StartFailed", "0 of 1 replicas ready", f"{registry.address}/team/hello:1", "Not authorized",
             "spec.imagePullSecret")
        expect(registry.refused > 0, "the registry was never asked")
        apply(actor("no-tag", image=f"{registry.address}/team/hello:2", imagePullSecret="plain", **where))
        told("wasmactor", "no-tag", "StartFailed", "0 of 1 replicas ready", f"{registry.address}/team/hello:2", "manifest unknown",
             "Check spec.image: there is no such image")

        def counted():
            failed = [e for e in events_of("wasmactor", "no-tag") if e["reason"] == "StartFailed" and "cannot run" in e["note"]]
            expect(len(failed) == 1, f"{len(failed)} Events about one failing start: {[e['note'] for e in failed]}")
            return failed[0].get("series", {}).get("count", 1) >= 4 and failed[0]

        # The credentials of one actor's pull secret serve every pull from that registry: the other one starts now.
        wait_ready("no-password")
        event = wait_for("one Event counts at least four tries", counted, 40)
        print(f"Event: {event['note']} (x{event['series']['count']})")
        # Mended.
        apply(actor("no-tag", image=f"{registry.address}/team/hello:1", imagePullSecret="plain", **where))
        wait_ready("no-tag")
        expect("s3cret" not in ctl("events", "-A") + ctl("describe", "wasmactor", "no-tag"), "a password is shown")
    finally:
        delete("wasmactor", "no-password")
        delete("wasmactor", "no-tag")
        ctl("delete", "secret", "plain", "--ignore-not-found")
        host.close()
        registry.close()


# Faults at run time

def host_logs(text):
    """Names of the hosts whose log has this text."""
    return [h["name"] for h in Env.get().hosts() if text in run(WASMCTL, "dev", "logs", h["name"], "--name", ENV_NAME)[1]]


@test
def fault_port_clash():
    """Two actors behind one address, and two providers on one address of a host: the lattice tells neither, the specs do."""
    one_host = {"placement": {"hostSelector": {"matchLabels": {"zone": "a"}}}}
    port, other_port = free_port(), free_port()
    folder = tempfile.mkdtemp(prefix="wasmctl-e2e-clash-")
    archive = os.path.join(folder, "other.par.gz")

    def second(name, **config):
        apply(actor("clash-2", config={"greeting": "Second"},
                    capabilities=[{"interface": HTTP_CAPABILITY, "provider": "clash-1-http", "name": name, "config": config}]))

    try:
        apply(provider("clash-1-http", port, **one_host))
        apply(actor("clash-1", capabilities=[{"interface": HTTP_CAPABILITY, "provider": "clash-1-http"}]))
        wait_ready("clash-1")
        wait_for("the first serves", lambda: answers(port))
        second("default")
        told("wasmactor", "clash-2", "LinkConflict", "leads to WasmActor default/clash-1", "another name")
        second("two")
        told("wasmactor", "clash-2", "AddressTaken", f"address 127.0.0.1:{port} of WasmProvider default/clash-1-http",
             "is asked for by WasmActor default/clash-1 too", "another name and an address of its own")
        answers(port)
        expect(is_ready(get("wasmactor", "clash-1")), "the one that serves is not Ready")
        second("own", address=f"127.0.0.1:{other_port}")
        wait_ready("clash-2")
        wait_for("the second serves at its own address", lambda: answers(other_port, "Second"))

        # The second provider tells only its host's log. (Of another path: a host cannot start an archive again while it runs.)
        shutil.copy(os.path.join(parts_path("wasmcloud-host"), "http-server.par.gz"), archive)
        apply(provider("clash-3-http", port, image=f"file://{archive}", **one_host))
        apply(actor("clash-3", capabilities=[{"interface": HTTP_CAPABILITY, "provider": "clash-3-http"}]))
        told("wasmprovider", "clash-3-http", "AddressTaken", "WasmProvider default/clash-1-http", f"127.0.0.1:{port}",
             "config.default_address")
        wait_for("the host's log has it", lambda: host_logs("httpserver failed to start listener"))
        free = free_port()
        apply(provider("clash-3-http", free, image=f"file://{archive}", **one_host))
        wait_ready("clash-3-http", "wasmprovider")
        wait_for("it serves at its new address", lambda: answers(free))
    finally:
        for name in ("clash-1", "clash-2", "clash-3"):
            delete("wasmactor", name)
        for name in ("clash-1-http", "clash-3-http"):
            delete("wasmprovider", name)
        shutil.rmtree(folder, ignore_errors=True)


@test
def fault_component_traps():
    """The lattice does not tell of traps: the caller gets a 500 with the host's words, the host's log the backtrace."""
    with open(HELLO, "rb") as f:
        component = trapping(f.read(), "incoming-handler")
    folder = tempfile.mkdtemp(prefix="wasmctl-e2e-trap-")
    image = os.path.join(folder, "trap.wasm")
    port = free_port()
    try:
        with open(image, "wb") as f:
            f.write(component)
        http_pair("trapping", port, image=f"file://{image}")
        status, body = wait_for("the provider answers", lambda: http_get(port))
        expect(status == 500 and "failed to invoke" in body, f"{status} {body}")
        wait_for("the host's log has the trap", lambda: host_logs("wasm trap: wasm `unreachable` instruction executed"))
        expect(is_ready(get("wasmactor", "trapping")), "it is not Ready although it runs")
    finally:
        remove_pair("trapping")
        shutil.rmtree(folder, ignore_errors=True)


@test
def fault_wrong_credentials():
    """A NATS server with operator, accounts and users as JWTs: no credentials, those of another realm, then the right ones."""
    realm, port = Realm(), free_port()
    folder = tempfile.mkdtemp(prefix="wasmctl-e2e-jwt-")
    with open(os.path.join(folder, "nats.conf"), "w", encoding="utf-8") as f:
        f.write(realm.server_config(port))
    server = subprocess.Popen([os.path.join(parts_path("nats-server"), "nats-server"), "-c", f.name],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def secret(text):
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "realm", "namespace": "default"},
               "stringData": {"user.creds": text}})

    def lattice(**nats):
        apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "guarded"},
               "spec": {"driver": "wasmcloud.v1", "nats": {"servers": [f"nats://127.0.0.1:{port}"], **nats}}})

    connected = {"type": "Connected"}
    try:
        lattice()
        apply(actor("guarded", lattice="guarded"))
        told("lattice", "guarded", "CredentialsRefused", "Authorization Violation", "spec.nats.credentialsSecret", **connected)
        told("wasmactor", "guarded", "LatticeDisconnected", "lattice guarded", "Authorization Violation", status="Unknown", event=False)
        secret(Realm().credentials())
        lattice(credentialsSecret={"namespace": "default", "name": "realm"})
        told("lattice", "guarded", "CredentialsRefused", "Authorization Violation", "Secret default/realm, key user.creds", **connected)
        secret(realm.credentials())
        told("lattice", "guarded", "Connected", status="True", **connected)
    finally:
        remove_lattice("guarded", "guarded")
        ctl("delete", "secret", "realm", "--ignore-not-found")
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@test
def fault_lattice_unreachable():
    """Nobody listens, then somebody does."""
    port = free_port()
    apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "remote"},
           "spec": {"driver": "wasmcloud.v1", "nats": {"servers": [f"nats://127.0.0.1:{port}"]}}})
    apply(actor("remote", lattice="remote"))
    server = None
    try:
        told("lattice", "remote", "Disconnected", f"127.0.0.1:{port}", "no NATS server answers there", "spec.nats.servers",
             type="Connected")
        told("wasmactor", "remote", "LatticeDisconnected", "lattice remote is not connected", "condition Connected", status="Unknown",
             event=False)
        server = subprocess.Popen([os.path.join(parts_path("nats-server"), "nats-server"), "-a", "127.0.0.1", "-p", str(port)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told("lattice", "remote", "Connected", type="Connected", status="True")
    finally:
        remove_lattice("remote", "remote")
        if server:
            server.terminate()
            server.wait(timeout=30)


# Faults of the cluster

def kubectl(*args, stdin=None):
    return run(os.path.join(parts_path("kubectl"), "kubectl"), *args, stdin=stdin, env={"KUBECONFIG": Env.get().kubeconfig})[1]


def served(path, which="health"):
    """(status, body) of the operator's own pages."""
    connection = http.client.HTTPConnection("127.0.0.1", Env.get().child("operator")["ports"][which], timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def metric(series):
    """The value of a series; None when it is not there."""
    for line in served("/metrics", "metrics")[1].splitlines():
        if line.rsplit(" ", 1)[0] == series:
            return float(line.rsplit(" ", 1)[1])
    return None


def not_ready(*words):
    status, body = served("/readyz")
    return (status == 503 and all(w in body for w in words)) or expect(False, f"{status} {body}")


def operator_log():
    return run(WASMCTL, "dev", "logs", "operator", "--name", ENV_NAME)[1]


@test
def fault_crd_missing():
    """One kind is taken away while the operator runs: it is named, the others go on, and it is watched again when it is back."""
    apply(actor("goes-on"))
    wait_ready("goes-on")
    live = "wasm_operator_cache_live{kind=\"wasmproviders\"}"
    expect(metric(live) == 1, "the cache is not live before")
    try:
        kubectl("delete", "crd", "wasmproviders.wasmctl.dev", "--timeout=30s")
        wait_for("/readyz names the kind", lambda: not_ready("wasmproviders"), 40)
        expect(metric(live) == 0, "the metric says that it is watched")
        wait_for("the log says what to do", lambda: "run `wasmctl install --crds`" in operator_log())
        expect(served("/healthz")[0] == 200, "missing kinds are no reason to restart the operator")
        apply(actor("goes-on", replicas=3))
        wait_for("actors go on", lambda: len(running_on("default_goes-on")) == 3)
        wait_ready("goes-on")
    finally:
        ctl("install", "--crds", timeout=60)
    wait_for("/readyz is well again", lambda: served("/readyz")[0] == 200, 60)
    expect(metric(live) == 1, "the metric says that it is not watched")
    port = free_port()
    http_pair("back-again", port)
    answers(port)
    remove_pair("back-again")
    delete("wasmactor", "goes-on")


def edited_role(keep):
    """The operator's ClusterRole without what keep(rule, resource) refuses; returns the role as it was."""
    role = json.loads(kubectl("get", "clusterrole", "wasm-operator", "-o", "json"))
    for rule in role["rules"]:
        rule["resources"] = [r for r in rule["resources"] if keep(r)]
    role["rules"] = [r for r in role["rules"] if r["resources"]]
    kubectl("replace", "-f", "-", stdin=json.dumps(role))


@test
def fault_rbac_missing():
    """Rights are taken away one by one: reading Secrets, writing status, watching a kind. Each is named, and each comes back."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "rbac.yaml"), encoding="utf-8") as f:
        rights = f.read()
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "readable", "namespace": "default"}, "stringData": {"a": "b"}})
    starting = None
    try:
        edited_role(lambda resource: resource != "secrets")
        apply(actor("unread", configFrom=[{"secretRef": {"name": "readable"}}]))
        told("wasmactor", "unread", "ConfigForbidden", "may not read Secret default/readable", "spec.configFrom",
             "get, list and watch secrets")
        ctl("apply", "--force-conflicts", "-f", "-", stdin=rights)
        wait_ready("unread")

        edited_role(lambda resource: resource != "wasmactors/status")
        errors = metric("wasm_operator_reconcile_errors_total{name=\"actor\"}")
        apply(actor("untold"))
        wait_for("it runs all the same", lambda: running_on("default_untold"))
        wait_for("the log names object and right",
                 lambda: any("cannot write status" in l and "default/untold" in l and "wasmactors/status" in l
                             for l in operator_log().splitlines()))
        wait_for("the metric counts it", lambda: metric("wasm_operator_reconcile_errors_total{name=\"actor\"}") > errors)
        ctl("apply", "--force-conflicts", "-f", "-", stdin=rights)
        wait_ready("untold")

        # What is being watched goes on until the watch ends: the operator starts without the right.
        edited_role(lambda resource: resource != "wasmactors")
        dev("child", "stop", "operator")
        # It waits until the operator is ready, which is when the right is back.
        starting = subprocess.Popen([WASMCTL, "dev", "child", "start", "operator", "--name", ENV_NAME],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("/readyz names the kind", lambda: not_ready("wasmactors", "forbidden"))
        expect(served("/healthz")[0] == 200, "missing rights are no reason to restart the operator")
        wait_for("the log says what to do", lambda: "not allowed to watch: check the operator's RBAC kind=wasmactors" in operator_log())
        expect(sum(running_on("default_untold").values()) == 1000, "it was stopped by an operator that sees no actors")
    finally:
        ctl("apply", "--force-conflicts", "-f", "-", stdin=rights)
        if starting:
            starting.wait(timeout=120)
    wait_for("/readyz is well again", lambda: served("/readyz")[0] == 200, 60)
    apply(actor("untold", replicas=2))
    wait_for("it acts again", lambda: len(running_on("default_untold")) == 2)
    delete("wasmactor", "untold")
    delete("wasmactor", "unread")
    ctl("delete", "secret", "readable")


@test
def scale_subresource():
    """What autoscalers use: replicas there and back, and a selector."""
    apply(actor("elastic"))
    wait_ready("elastic")
    kubectl("scale", "wasmactor/elastic", "--replicas=3")
    wait_for("three replicas run", lambda: sum(running_on("default_elastic").values()) == 3000)
    scale = wait_for("the subresource says three", lambda: (s := json.loads(kubectl(
        "get", "--raw", "/apis/wasmctl.dev/v1alpha1/namespaces/default/wasmactors/elastic/scale")))["status"]["replicas"] == 3 and s)
    expect(scale["spec"]["replicas"] == 3 and scale["status"]["selector"] == "wasmctl.dev/actor=elastic", json.dumps(scale))
    delete("wasmactor", "elastic")


# What /metrics says

def check_exposition(text):
    """The rules of the text format: HELP and TYPE once a family and before its samples, no series twice, histograms whole."""
    kinds, seen, current = {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            expect(current not in kinds, f"{current} is told twice")
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            expect(name == current, f"TYPE of {name} without its HELP")
            expect((kind == "counter") == name.endswith("_total"), f"{kind} {name}")
            kinds[name] = kind
        else:
            series, value = line.rsplit(" ", 1)
            float(value)
            expect(series not in seen, f"{series} is there twice")
            seen.add(series)
            name = series.split("{")[0]
            if kinds.get(current) == "histogram":
                expect(name in (f"{current}_bucket", f"{current}_sum", f"{current}_count"), line)
            else:
                expect(name == current, f"{line} after the HELP of {current}")
    for series in [s for s in seen if 'le="+Inf"' in s]:
        count = series.replace("_bucket{", "_count{").replace('le="+Inf"', "").replace(",}", "}").replace("{}", "")
        expect(metric_in(text, series) == metric_in(text, count), f"{series} differs from {count}")
    return kinds


def metric_in(text, series):
    return next((l.rsplit(" ", 1)[1] for l in text.splitlines() if l.rsplit(" ", 1)[0] == series), None)


@test
def metrics_tell_the_truth():
    """After a start and the loss of a host: sums of replicas and placements, a failover with its seconds, requests, the process."""
    apply(actor("measured", replicas=2))
    wait_ready("measured")
    gone = "wasm_operator_failover_seconds_count{kind=\"actor\",cause=\"gone\"}"
    seconds = gone.replace("_count", "_sum")
    before, before_sum = metric(gone) or 0, metric(seconds) or 0
    wait_for("ready replicas are counted", lambda: metric("wasm_operator_replicas{kind=\"actor\",state=\"ready\"}") == 2)
    expect(metric("wasm_operator_placements{kind=\"actor\",state=\"Running\"}") == 2, "placements")
    expect(metric("wasm_operator_objects{kind=\"actor\",ready=\"True\",reason=\"Ready\"}") == 1, "objects")
    victim_id = next(iter(running_on("default_measured")))
    victim = next(h for h in Env.get().hosts() if h["hostID"] == victim_id)
    dev("host", "kill", victim["name"])
    try:
        wait_for("the failover is counted", lambda: (metric(gone) or 0) == before + 1)
        print(f"failover: {metric(seconds) - before_sum:.2f} s by the operator's own count")
        wait_for("two hosts are left", lambda: metric("wasm_operator_hosts{lattice=\"default\",state=\"ready\"}") == 2)
    finally:
        dev("host", "start", victim["name"])
    wait_for("three hosts", lambda: metric("wasm_operator_hosts{lattice=\"default\",state=\"ready\"}") == 3)
    status, text = served("/metrics", "metrics")
    expect(status == 200, text)
    kinds = check_exposition(text)
    for name in ("wasm_operator_build_info", "wasm_operator_leader", "wasm_operator_reconcile_duration_seconds",
                 "wasm_operator_queue_wait_seconds", "wasm_operator_lattice_operation_duration_seconds",
                 "wasm_operator_api_requests_total", "process_resident_memory_bytes", "process_start_time_seconds"):
        expect(name in kinds, f"{name} is not told")
    expect(metric("wasm_operator_leader") == 1, "it acts and does not say so")
    delete("wasmactor", "measured")
    wait_for("a deleted object counts no more", lambda: metric("wasm_operator_replicas{kind=\"actor\",state=\"ready\"}") == 0)
    wait_for("nor its placements", lambda: metric("wasm_operator_placements{kind=\"actor\",state=\"Running\"}") == 0)
