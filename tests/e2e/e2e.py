"""End-to-end tests: the built programs against the real API server, NATS server and wasmCloud hosts. One test a CTest entry:
e2e.py NAME. The environment (three hosts) is made by `up` and removed by `down`, which are CTest fixtures."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from harness import (ENV_NAME, HELLO, HELLO_AGAIN, HTTP_CAPABILITY, LATCTL, OPERATOR, WASMCTL, Env, Failed, actor, answers,
                     apply, condition, control, ctl, ctl_fails, delete, dev, exists, expect, free_port, get, http_pair, inventory,
                     is_ready, links_of, main, parts_path, provider, remove_pair, run, running_on, test, wait_for, wait_ready)
from registry import Registry


@test
def up():
    for path in (WASMCTL, OPERATOR, LATCTL, HELLO, HELLO_AGAIN):
        expect(path and os.path.exists(path), f"{path or 'WASMCTL_TEST_HELLO'} does not exist: run ./install.sh test")
    run(WASMCTL, "dev", "down", "--name", ENV_NAME, "--purge", check=False)
    print(run(WASMCTL, "dev", "up", "--name", ENV_NAME, "--hosts", "3", "--host-label", "intention=actor",
              "--host-label", "0:zone=a", "--host-label", "1:zone=b", "--host-label", "2:zone=c", timeout=150)[2])
    wait_for("three hosts are mirrored",
             lambda: sum(condition(h, "Ready")["status"] == "True" for h in get("latticehosts")["items"]) == 3, 60)


@test
def down():
    run(WASMCTL, "dev", "down", "--name", ENV_NAME, "--purge", timeout=60)


@test
def apply_to_http_200():
    port = free_port()
    http_pair("first", port)
    answers(port)
    out = ctl("get", "wasmactors")
    expect("first" in out and "READY" in out, f"no table:\n{out}")
    out = ctl("describe", "wasmactor", "first")
    for word in ("Conditions:", "Placements:", "Events:", "Running"):
        expect(word in out, f"describe lacks {word}:\n{out}")
    remove_pair("first")


@test
def scale_up_and_down():
    apply(actor("scaled", replicas=1))
    wait_ready("scaled")
    expect(sorted(running_on("default_scaled").values()) == [1000], f"one replica: {running_on('default_scaled')}")
    apply(actor("scaled", replicas=3))
    wait_for("three hosts run one replica each",
             lambda: sorted(running_on("default_scaled").values()) == [1000, 1000, 1000])
    status = wait_ready("scaled")["status"]
    expect(status["readyReplicas"] == 3 and len(status["placements"]) == 3, json.dumps(status))
    apply(actor("scaled", replicas=5))
    wait_for("five replicas over three hosts",
             lambda: sorted(running_on("default_scaled").values()) == [1000, 2000, 2000])
    apply(actor("scaled", replicas=1))
    wait_for("one replica is left", lambda: sorted(running_on("default_scaled").values()) == [1000])
    wait_for("status says one", lambda: get("wasmactor", "scaled")["status"]["replicas"] == 1)
    apply(actor("scaled", replicas=0))
    wait_for("nothing is left", lambda: running_on("default_scaled") == {})
    delete("wasmactor", "scaled")


@test
def image_change():
    port = free_port()
    http_pair("changed", port, replicas=2)
    answers(port)
    before = {p["revision"] for p in get("wasmactor", "changed")["status"]["placements"]}
    apply(actor("changed", image=f"file://{HELLO_AGAIN}", replicas=2,
                capabilities=[{"interface": HTTP_CAPABILITY, "provider": "changed-http"}]))
    wait_for("the new image answers", lambda: answers(port, "Hello again"))
    expect((s := wait_ready("changed")["status"])["updatedReplicas"] == 2, json.dumps(s))
    # One of the old revision may serve a little longer, in excess.
    status = wait_for("two replicas are left", lambda: (s := get("wasmactor", "changed")["status"]) and s["replicas"] == 2
                      and len(s["placements"]) == 2 and s)
    after = {p["revision"] for p in status["placements"]}
    expect(len(after) == 1 and after != before, f"revisions before {before}, after {after}")
    for host in running_on("default_changed"):
        images = [c["image_ref"] for c in inventory(host)["components"]
                  if c["id"] == "default_changed"]
        expect(images == [f"file://{HELLO_AGAIN}"], f"host {host} runs {images}")
    remove_pair("changed")


@test
def bad_update_keeps_serving():
    port = free_port()
    http_pair("kept", port, replicas=1)
    answers(port)
    good = get("wasmactor", "kept")["status"]["placements"][0]["revision"]
    spec = {"replicas": 1, "capabilities": [{"interface": HTTP_CAPABILITY, "provider": "kept-http"}]}
    apply(actor("kept", image="file:///nowhere/bad.wasm", **spec))
    obj = wait_for("the condition tells why",
                   lambda: (o := get("wasmactor", "kept")) and condition(o, "Ready")["reason"] == "UpdateFailed" and o)
    expect("bad.wasm" in condition(obj, "Ready")["message"] or "No such file" in condition(obj, "Ready")["message"],
           condition(obj, "Ready")["message"])
    serving = [p["revision"] for p in obj["status"]["placements"] if p["ready"] == 1]
    expect(serving == [good], json.dumps(obj["status"]))
    wait_for("the last good revision answers", lambda: answers(port))
    apply(actor("kept", image=f"file://{HELLO_AGAIN}", **spec))
    wait_for("the repaired one answers", lambda: answers(port, "Hello again"))
    wait_ready("kept")
    wait_for("nothing is left of the bad one in the status",
             lambda: [p["state"] for p in get("wasmactor", "kept")["status"]["placements"]] == ["Running"])
    remove_pair("kept")


@test
def stopped_behind_its_back():
    apply(actor("drifting"))
    wait_ready("drifting")
    host = next(iter(running_on("default_drifting")))
    run(LATCTL, "--server", Env.get().nats, "stop", host, "default_drifting")
    wait_for("the component is back", lambda: running_on("default_drifting"))
    wait_ready("drifting")
    delete("wasmactor", "drifting")


@test
def foreign_component_is_left_alone():
    host = Env.get().hosts()[0]["hostID"]
    run(LATCTL, "--server", Env.get().nats, "scale", host, "default_taken", f"file://{HELLO}", "7")
    wait_for("it runs", lambda: running_on("default_taken").get(host) == 7)
    apply(actor("taken", replicas=3))
    wait_for("the other two hosts run it", lambda: sorted(running_on("default_taken").values()) == [7, 1000, 2000])
    delete("wasmactor", "taken")
    expect(running_on("default_taken") == {host: 7}, f"what was not ours was touched: {running_on('default_taken')}")
    run(LATCTL, "--server", Env.get().nats, "stop", host, "default_taken")


@test
def host_killed():
    port = free_port()
    http_pair("moved", port, replicas=1, placement={"hostSelector": {"matchLabels": {"intention": "actor"}}})
    provider_host = get("wasmprovider", "moved-http")["status"]["placements"][0]["host"]
    first = next(iter(running_on("default_moved")))
    if first.lower() == provider_host:
        # The entrance must live: have the actor on another host.
        label = {0: "a", 1: "b", 2: "c"}
        index = [h["hostID"] for h in Env.get().hosts()].index(first)
        others = [label[i] for i in label if i != index]
        selector = {"matchLabels": {"intention": "actor"},
                    "matchExpressions": [{"key": "zone", "operator": "In", "values": others}]}
        apply(actor("moved", placement={"hostSelector": selector},
                    capabilities=[{"interface": HTTP_CAPABILITY, "provider": "moved-http"}]))
        wait_for("the actor left the provider's host", lambda: first not in running_on("default_moved"))
        wait_ready("moved")
        apply(actor("moved", placement={"hostSelector": {"matchLabels": {"intention": "actor"}}},
                    capabilities=[{"interface": HTTP_CAPABILITY, "provider": "moved-http"}]))
        wait_ready("moved")
        first = next(iter(running_on("default_moved")))
    victim = next(h for h in Env.get().hosts() if h["hostID"] == first)
    dev("host", "kill", victim["name"], "--signal", "9")
    try:
        wait_for("the replica runs on another host", lambda: running_on("default_moved"))
        answers(port)
        obj = wait_ready("moved")
        lost = [p for p in obj["status"]["placements"] if p["state"] == "Lost"]
        expect(lost and lost[0]["host"] == first.lower() and "lost" in lost[0]["message"],
               f"status does not say why: {json.dumps(obj['status'])}")
        node = get("latticehost", first.lower())
        expect(condition(node, "Ready")["status"] == "False", json.dumps(node["status"]["conditions"]))
        expect("ReplicaLost" in ctl("events", "--for", "wasmactor/moved"), ctl("events", "--for", "wasmactor/moved"))
    finally:
        dev("host", "start", victim["name"])
    wait_for("the host is back", lambda: condition(get("latticehost", first.lower()), "Ready")["status"] == "True")
    remove_pair("moved")


@test
def delete_leaves_nothing():
    port = free_port()
    http_pair("gone", port, replicas=3, config={"greeting": "x"})
    expect(links_of("default_gone"), "no link was made")
    ctl("delete", "wasmactor", "gone", "--timeout=60s", timeout=90)
    expect(running_on("default_gone") == {}, f"still running: {running_on('default_gone')}")
    expect(links_of("default_gone") == [], f"links are left: {links_of('default_gone')}")
    ctl("delete", "wasmprovider", "gone-http", "--timeout=60s", timeout=90)
    for host in Env.get().hosts():
        left = [p["id"] for p in inventory(host["hostID"])["providers"] if "gone" in p["id"]]
        expect(left == [], f"host {host['name']} still runs {left}")


@test
def delete_all_at_once():
    """One manifest with the Lattice first: it stays until what uses it is stopped."""
    objects = [{"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "second"},
                "spec": {"driver": "wasmcloud.v1", "nats": {"servers": [Env.get().nats]}}},
               actor("all-at-once", lattice="second", replicas=2)]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    ctl("apply", "-f", "-", stdin=manifest)
    wait_ready("all-at-once")
    ctl("delete", "-f", "-", "--timeout=60s", stdin=manifest, timeout=90)
    expect(running_on("default_all-at-once") == {}, f"still running: {running_on('default_all-at-once')}")
    expect(not exists("lattice", "second"), "the Lattice is still there")


@test
def operator_restarted_in_the_middle():
    names = [f"many-{i}" for i in range(10)]
    for name in names[:5]:
        apply(actor(name, replicas=2))
    dev("child", "kill", "operator")
    for name in names[5:]:
        apply(actor(name, replicas=2))
    ctl("delete", "wasmactor", names[0], "--wait=false")
    dev("child", "start", "operator")
    for name in names[1:]:
        wait_ready(name)
        expect(sum(running_on(f"default_{name}").values()) == 2000, f"{name}: {running_on(f'default_{name}')}")
    wait_for("the deleted one is gone", lambda: not exists("wasmactor", names[0]))
    expect(running_on(f"default_{names[0]}") == {}, "the deleted one still runs")
    for name in names[1:]:
        delete("wasmactor", name)


@test
def nats_restarted_deletes_nothing():
    apply(actor("steady", replicas=3))
    wait_ready("steady")
    dev("child", "kill", "nats")
    wait_for("the lattice says it is not connected",
             lambda: condition(get("lattice", "default"), "Connected")["status"] == "False")
    obj = wait_for("the actor says it is not judged",
                   lambda: (o := get("wasmactor", "steady")) and condition(o, "Ready")["status"] == "Unknown" and o)
    expect(obj["status"]["replicas"] == 3 and len(obj["status"]["placements"]) == 3, json.dumps(obj["status"]))
    expect(len(get("latticehosts")["items"]) >= 3, "LatticeHosts were removed")
    dev("child", "start", "nats")
    wait_for("the lattice is connected again",
             lambda: condition(get("lattice", "default"), "Connected")["status"] == "True", 60)
    wait_ready("steady", timeout=90)
    expect(sorted(running_on("default_steady").values()) == [1000] * 3, f"{running_on('default_steady')}")
    stops = [e for e in ctl("events", "--for", "wasmactor/steady").splitlines() if "Stopped" in e]
    expect(stops == [], f"something was stopped: {stops}")
    delete("wasmactor", "steady")


@test
def nothing_fits():
    apply(actor("nowhere", placement={"hostSelector": {"matchLabels": {"intention": "nothing-has-this"}}}))
    obj = wait_for("the condition tells why",
                   lambda: (o := get("wasmactor", "nowhere")) and condition(o, "Ready")["reason"] == "NoFittingHost" and o)
    message = condition(obj, "Ready")["message"]
    expect("do not match intention=nothing-has-this" in message and "0/3 hosts fit" in message, message)
    expect(message.split(": ", 1)[1] in ctl("describe", "wasmactor", "nowhere"), "describe does not tell")
    delete("wasmactor", "nowhere")


@test
def image_does_not_exist():
    apply(actor("imageless", image="file:///nowhere/at/all.wasm"))
    obj = wait_for("the condition holds the host's own words",
                   lambda: (o := get("wasmactor", "imageless")) and condition(o, "Ready")["reason"] == "StartFailed" and o)
    message = condition(obj, "Ready")["message"]
    expect("/nowhere/at/all.wasm" in message or "No such file" in message or "fetch" in message, message)
    expect("StartFailed" in ctl("events", "--for", "wasmactor/imageless"), "no Event")
    delete("wasmactor", "imageless")


@test
def config_reaches_the_lattice():
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"},
                "data": {"greeting": "from a ConfigMap", "other": "1"}}
    apply(actor("configured", configFrom=[{"configMapRef": {"name": "settings"}}], config={"other": "2"}))
    wait_for("the missing ConfigMap is named",
             lambda: "settings" in condition(get("wasmactor", "configured"), "Ready")["message"])
    apply(manifest)
    first = wait_ready("configured")["status"]["placements"][0]["revision"]
    manifest["data"]["greeting"] = "changed"
    apply(manifest)
    wait_for("an edit of the ConfigMap rolls the actor",
             lambda: (o := get("wasmactor", "configured")) and is_ready(o)
             and o["status"]["placements"][0]["revision"] != first)
    delete("wasmactor", "configured")
    ctl("delete", "configmap", "settings")


@test
def leftover_configuration_is_swept():
    """What an operator left that ended in the middle of something: another one finds and deletes it, and nothing else."""
    apply(actor("swept", config={"greeting": "hello"}))
    wait_ready("swept")
    host = list(running_on("default_swept"))[0]
    used = next(c for c in inventory(host)["components"] if c["id"] == "default_swept")["annotations"]["wasmctl.dev/config"]
    gone = f"{used[:17]}0123456789abcdef-0123456789abcdef"  # of an object that does not exist
    old = f"{used[:-16]}0123456789abcdef"  # of the object that does, with other content
    other = "somebody-elses"
    for name in (gone, old, other):
        run(LATCTL, "--server", Env.get().nats, "raw", f"wasmbus.ctl.v1.default.config.put.{name}", '{"a":"b"}')
    dev("child", "restart", "operator")
    for name in (gone, old):
        wait_for(f"{name} is swept", lambda n=name: control(f"config.get.{n}") is None, 40)
    expect(control(f"config.get.{used}") == {"greeting": "hello"}, "the configuration in use was swept")
    expect(control(f"config.get.{other}") == {"a": "b"}, "somebody else's configuration was swept")
    run(LATCTL, "--server", Env.get().nats, "raw", f"wasmbus.ctl.v1.default.config.del.{other}")
    delete("wasmactor", "swept")


@test
def errors_people_see():
    with tempfile.TemporaryDirectory() as folder:
        bad = os.path.join(folder, "bad.yaml")
        with open(bad, "w", encoding="utf-8") as f:
            f.write("apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata:\n  name: x\n   labels: {}\n")
        status, err = ctl_fails("apply", "-f", bad)
        expect(status == 1 and f"{bad}:5:" in err, f"bad YAML: {err}")
        status, err = ctl_fails("apply", "-f", os.path.join(folder, "absent.yaml"))
        expect(status == 1 and "absent.yaml" in err, err)
    manifest = actor("wrong")
    manifest["spec"]["replicsa"] = 2
    status, err = ctl_fails("apply", "-f", "-", stdin=json.dumps(manifest))
    expect(status == 1 and "replicsa" in err, f"unknown field: {err}")
    manifest = actor("wrong", replicas="two")
    status, err = ctl_fails("apply", "-f", "-", stdin=json.dumps(manifest))
    expect(status == 1 and "spec.replicas" in err, f"wrong type: {err}")
    status, err = ctl_fails("get", "wasmactors", "--context", "nowhere")
    expect(status == 1 and 'context "nowhere" does not exist' in err, f"no such context: {err}")
    status, err = ctl_fails("get", "wasmactor", "does-not-exist")
    expect(status == 1 and 'Error from server (NotFound): wasmactors.wasmctl.dev "does-not-exist" not found' in err, err)
    status, err = ctl_fails("get", "wasmactrs")
    expect(status == 1 and 'the server doesn\'t have a resource type "wasmactrs"' in err, err)
    status, err = ctl_fails("get", "wasmactors", "--server", f"https://127.0.0.1:{free_port()}")
    expect(status == 1 and "was refused - did you specify the right host or port?" in err, f"server down: {err}")
    status, err = ctl_fails("get", "--no-such-flag")
    expect(status == 1 and "unknown flag: --no-such-flag" in err, err)
    expect(not exists("wasmactor", "wrong"), "a refused object was made")


@test
def lattice_unreachable():
    apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "away"},
           "spec": {"driver": "wasmcloud.v1", "nats": {"servers": [f"nats://127.0.0.1:{free_port()}"]}}})
    apply(actor("stranded", lattice="away"))
    wait_for("the Lattice tells why",
             lambda: condition(get("lattice", "away"), "Connected")["status"] == "False")
    wait_for("the actor tells why",
             lambda: condition(get("wasmactor", "stranded"), "Ready")["reason"] == "LatticeDisconnected")
    apply(actor("lost", lattice="no-such-lattice"))
    obj = wait_for("an actor of no lattice tells why",
                   lambda: (o := get("wasmactor", "lost")) and condition(o, "Ready")["reason"] == "LatticeNotFound" and o)
    expect("no-such-lattice" in condition(obj, "Ready")["message"], str(condition(obj, "Ready")))
    # Without its Lattice an actor can be deleted at once.
    ctl("delete", "lattice", "away")
    delete("wasmactor", "stranded")
    delete("wasmactor", "lost")


def valgrind(*command, **kw):
    args = ["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
            "--error-exitcode=99", *command]
    return run(*args, check=False, timeout=120, **kw)


@test
def valgrind_get():
    for command in (["get", "wasmactors,latticehosts", "-A"], ["get", "lattices", "-o", "yaml"],
                    ["get", "wasmactor", "does-not-exist"]):
        status, out, err = valgrind(WASMCTL, *command, env={"KUBECONFIG": Env.get().kubeconfig})
        expect(status in (0, 1), f"valgrind wasmctl {' '.join(command)}: status {status}\n{err}")


@test
def valgrind_operator():
    """The operator of the environment gives way to one under valgrind, which does a start, a scale, an update and a delete."""
    dev("child", "stop", "operator")
    log = tempfile.NamedTemporaryFile("w+", prefix="operator-valgrind-", suffix=".log")
    kubeconfig = os.path.join(Env.get().status["folder"], "operator.kubeconfig")
    expect(os.path.exists(kubeconfig), f"{kubeconfig} does not exist")
    process = subprocess.Popen(["valgrind", "--quiet", "--leak-check=full", "--error-exitcode=99",
                                "--errors-for-leak-kinds=definite,indirect,possible",
                                OPERATOR, "--kubeconfig", kubeconfig, "--health-address=", "--metrics-address="],
                               stdout=log, stderr=subprocess.STDOUT)
    try:
        port = free_port()
        http_pair("checked", port, replicas=2, config={"a": "b"})
        answers(port)
        apply(actor("checked", image=f"file://{HELLO_AGAIN}", replicas=3,
                    capabilities=[{"interface": HTTP_CAPABILITY, "provider": "checked-http"}]))
        wait_for("updated", lambda: answers(port, "Hello again"))
        wait_ready("checked")
        remove_pair("checked")
    finally:
        process.terminate()
        status = process.wait(timeout=60)
        dev("child", "start", "operator")
    log.seek(0)
    expect(status == 0, f"valgrind status {status}:\n{log.read()[-6000:]}")


@test
def lattice_credentials():
    """A missing and a bad Secret are told, asked for now and then only, and taken when they are mended."""
    apply({"apiVersion": "wasmctl.dev/v1alpha1", "kind": "Lattice", "metadata": {"name": "secured"},
           "spec": {"driver": "wasmcloud.v1",
                    "nats": {"servers": [Env.get().nats], "credentialsSecret": {"namespace": "default", "name": "creds"}}}})

    def message():
        return condition(get("lattice", "secured"), "Connected")["message"]

    wait_for("the missing Secret is named", lambda: "default/creds" in message())

    def requests():
        url = Env.get().child("operator")["ports"]["metrics"]
        import urllib.request
        text = urllib.request.urlopen(f"http://127.0.0.1:{url}/metrics", timeout=5).read().decode()
        return sum(int(l.split()[1]) for l in text.splitlines() if l.startswith("wasm_operator_api_requests_total{"))

    before = requests()
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "creds", "namespace": "default"},
           "stringData": {"user.creds": "rubbish"}})
    wait_for("the bad Secret is told", lambda: "JWT" in message(), 30)
    expect(requests() - before < 50, f"{requests() - before} requests to the API server meanwhile")
    ctl("delete", "lattice", "secured")
    ctl("delete", "secret", "creds")


@test
def kinds_refuse_bad_objects():
    """Every rule of the CRDs, with an object it must refuse."""
    kubectl = os.path.join(parts_path("kubectl"), "kubectl")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crd-samples", "check.sh")
    # The operator would act on the samples: forget a host of no lattice, hold what is deleted.
    dev("child", "stop", "operator")
    try:
        status, out, err = run("sh", script, kubectl, check=False, timeout=170, env={"KUBECONFIG": Env.get().kubeconfig})
    finally:
        dev("child", "start", "operator")
    print(out.splitlines()[-1] if out else "")
    expect(status == 0, out + err)


@test
def drain_empties_a_host():
    # All hosts share one machine: the provider that answers stays where it is, another one has no address to take along.
    port = free_port()
    elsewhere = {"hostSelector": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b", "c"]}]}}
    apply(provider("drained-http", port, placement={"hostSelector": {"matchLabels": {"zone": "a"}}}))
    apply(provider("drained-free", free_port(), placement=elsewhere))
    apply(actor("drained", replicas=2, placement=elsewhere,
                capabilities=[{"interface": HTTP_CAPABILITY, "provider": "drained-http"}]))
    wait_ready("drained")
    wait_ready("drained-free", "wasmprovider")
    host = get("wasmprovider", "drained-free")["status"]["placements"][0]["host"]
    expect(host.upper() in running_on("default_drained"), "the actor does not run on both hosts")
    wait_for("the actor answers", lambda: answers(port))
    friendly = get("latticehost", host)["status"]["friendlyName"]
    out = ctl("drain", friendly, "--timeout=60s", timeout=90)
    expect(f"latticehost.wasmctl.dev/{host} drained" in out, out)
    left = get("latticehost", host)["status"]
    expect(left["actors"] == [] and left["providers"] == [], json.dumps(left))
    wait_ready("drained")
    wait_ready("drained-free", "wasmprovider")
    wait_for("the actor answers from elsewhere", lambda: answers(port))
    expect(host.upper() not in running_on("default_drained"), "it still runs there")
    # Nothing returns by itself, and new work stays away until uncordon.
    apply(actor("newcomer", replicas=3))
    wait_ready("newcomer")
    expect(host.upper() not in running_on("default_newcomer"), "new work came to a drained host")
    ctl("uncordon", host[:10])
    apply(actor("newcomer", replicas=6))
    wait_for("it takes work again", lambda: host.upper() in running_on("default_newcomer"))
    status, err = ctl_fails("drain", "no-such-host")
    expect(status == 1 and 'no host "no-such-host"' in err, err)
    delete("wasmactor", "newcomer")
    delete("wasmprovider", "drained-free")
    remove_pair("drained")


@test
def image_of_a_private_registry():
    with open(HELLO, "rb") as f:
        registry = Registry("team/hello", "1", f.read(), "puller", "s3cret")
    folder = tempfile.mkdtemp(prefix="wasmctl-e2e-host-")
    log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
    # A host that may use this registry without TLS.
    host = subprocess.Popen([os.path.join(parts_path("wasmcloud-host"), "wasmcloud-host"), "--nats", Env.get().nats,
                             "--label", "registry=yes", "--heartbeat-seconds", "2", "--allow-insecure", registry.address],
                            stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": folder})
    spec = {"image": f"{registry.address}/team/hello:1", "imagePullSecret": "pull",
            "placement": {"hostSelector": {"matchLabels": {"registry": "yes"}}}}
    config = {"auths": {registry.address: {"username": "puller", "password": "wrong"}}}

    def host_id():
        return get("wasmactor", "private")["status"]["placements"][0]["host"].upper()

    def secret():
        apply({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
               "metadata": {"name": "pull", "namespace": "default"}, "stringData": {".dockerconfigjson": json.dumps(config)}})

    try:
        apply(actor("private", **spec))
        wait_for("the missing Secret is named",
                 lambda: condition(get("wasmactor", "private"), "Ready")["reason"] == "PullSecretMissing")
        secret()
        obj = wait_for("a wrong password is told",
                       lambda: (o := get("wasmactor", "private")) and condition(o, "Ready")["reason"] == "StartFailed" and o)
        expect(registry.refused > 0, "the registry was never asked")
        config["auths"][registry.address]["password"] = "s3cret"
        secret()
        wait_ready("private")
        expect(registry.served > 0, "the image did not come from the registry")

        # A mirror of another registry: the same host, the same credentials, another name in the spec.
        def mirrors(**spec):
            lattice = get("lattice", "default")
            lattice = {"apiVersion": lattice["apiVersion"], "kind": "Lattice", "metadata": {"name": "default"},
                       "spec": {**{k: v for k, v in lattice["spec"].items() if k != "imageMirrors"}, **spec}}
            ctl("apply", "--force-conflicts", "-f", "-", stdin=json.dumps(lattice))

        mirrors(imageMirrors=[{"source": "images.example/far", "mirror": f"{registry.address}/team"}])
        try:
            apply(actor("private", **{**spec, "image": "images.example/far/hello:1"}))
            wait_ready("private")
            images = {c["image_ref"] for c in inventory(host_id())["components"] if c["id"] == "default_private"}
            expect(images == {f"{registry.address}/team/hello:1"}, f"the host was told {images}")
        finally:
            mirrors()
        everything = json.dumps(obj) + ctl("events", "-A") + ctl("describe", "wasmactor", "private")
        everything += run(WASMCTL, "dev", "logs", "--name", ENV_NAME, "operator")[1]
        expect("s3cret" not in everything and "wrong" not in everything, "a password is shown")
    finally:
        delete("wasmactor", "private")
        ctl("delete", "secret", "pull", "--ignore-not-found")
        host.terminate()
        host.wait(timeout=30)
        registry.close()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


class Operators:
    """Operators of the test's own beside each other, with leader election; the environment's own is stopped meanwhile."""

    def __init__(self, n):
        self.kubeconfig = os.path.join(Env.get().status["folder"], "operator.kubeconfig")
        self.logs = [tempfile.NamedTemporaryFile("w+", prefix="operator-", suffix=".log") for _ in range(n)]
        self.processes = []

    def __enter__(self):
        dev("child", "stop", "operator")
        for log in self.logs:
            self.processes.append(subprocess.Popen(
                [OPERATOR, "--kubeconfig", self.kubeconfig, "--health-address=", "--metrics-address=",
                 "--leader-election=on", "--lease-namespace=wasm-system", "--lease-duration=3s"],
                stdout=log, stderr=subprocess.STDOUT))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
        dev("child", "start", "operator")

    def leads(self, i):
        with open(self.logs[i].name, encoding="utf-8") as f:
            return " leading" in f.read()

    def leader(self):
        """Index of the one that leads and lives, None while there is none."""
        alive = [i for i, p in enumerate(self.processes) if p.poll() is None and self.leads(i)]
        expect(len(alive) <= 1, f"operators {alive} lead at once")
        return alive[0] if alive else None


@test
def leader_election():
    with Operators(2) as operators:
        wait_for("one operator leads", lambda: operators.leader() is not None)
        first = operators.leader()
        apply(actor("led", replicas=1))
        wait_ready("led")
        expect(not operators.leads(1 - first), "the standby acts")
        # Ended in good order: the lease is released and the other one leads at once.
        operators.processes[first].terminate()
        began = time.monotonic()
        expect(operators.processes[first].wait(timeout=30) == 0, "the leader did not end well")
        wait_for("the standby leads", lambda: operators.leader() == 1 - first)
        print(f"released lease: the standby leads after {time.monotonic() - began:.2f} s")
        apply(actor("led", replicas=3))
        wait_for("the standby acts", lambda: len(running_on("default_led")) == 3)
    with Operators(2) as operators:
        wait_for("one operator leads", lambda: operators.leader() is not None)
        first = operators.leader()
        operators.processes[first].kill()
        operators.processes[first].wait()
        began = time.monotonic()
        wait_for("the standby leads after the lease has run out", lambda: operators.leader() == 1 - first)
        print(f"leader killed: the standby leads after {time.monotonic() - began:.2f} s (lease of 3 s)")
        apply(actor("led", replicas=2))
        wait_for("it acts", lambda: len(running_on("default_led")) == 2)
    delete("wasmactor", "led")


# Each topic registers its tests.
import chaos  # noqa: E402,F401
import deaf  # noqa: E402,F401
import install  # noqa: E402,F401
import place_cmd  # noqa: E402,F401
import rollouts  # noqa: E402,F401
import faults  # noqa: E402,F401
import scale  # noqa: E402,F401
import node  # noqa: E402,F401
import tail_sources  # noqa: E402,F401
import dash  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
