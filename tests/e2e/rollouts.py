"""Revisions of actors: history, undo, restart, pause."""
import json
import os

from harness import (HELLO, HELLO_AGAIN, HTTP_CAPABILITY, actor, answers, apply, condition, ctl, ctl_fails, delete,
                     expect, free_port, get, http_pair, inventory, remove_pair, running_on, test, wait_for, wait_ready)

AGAIN = f"file://{HELLO_AGAIN}"


def revisions(name):
    """number -> ControllerRevision of the actor"""
    return {r["revision"]: r for r in get("controllerrevisions")["items"]
            if r["metadata"]["ownerReferences"][0]["name"] == name}


def numbers(name):
    return sorted(revisions(name))


@test
def rollout_history_and_undo():
    port = free_port()
    http_pair("rolled", port, replicas=2)
    answers(port)
    spec = {"replicas": 2, "capabilities": [{"interface": HTTP_CAPABILITY, "provider": "rolled-http"}]}
    wait_for("the first revision is kept", lambda: numbers("rolled") == [1])
    again = actor("rolled", image=AGAIN, **spec)
    again["metadata"]["annotations"] = {"kubernetes.io/change-cause": "say it again"}
    apply(again)
    out = ctl("rollout", "status", "wasmactor/rolled", "--timeout=60s")
    expect(out.endswith('wasmactor "rolled" successfully rolled out\n'), out)
    answers(port, "Hello again")
    wait_for("so is the second", lambda: numbers("rolled") == [1, 2])
    out = ctl("rollout", "history", "wasmactor/rolled")
    wait_for("the cause is shown with its revision",
             lambda: "2          say it again" in ctl("rollout", "history", "wasmactor/rolled"))
    out = ctl("rollout", "history", "wasmactor", "rolled", "--revision=1")
    expect("with revision #1" in out and os.path.basename(HELLO) in out, out)

    # A bad one does not serve, and the host's own words tell why.
    apply(actor("rolled", image="file:///nowhere/bad.wasm", **spec))
    status, err = ctl_fails("rollout", "status", "wasmactor/rolled", "--timeout=4s")
    expect(status == 1 and "timed out waiting for the condition" in err and "UpdateFailed" in err, err)
    answers(port, "Hello again")
    expect(ctl("rollout", "undo", "wasmactor/rolled") == "wasmactor.wasmctl.dev/rolled rolled back\n", "undo says something else")
    ctl("rollout", "status", "wasmactor/rolled", "--timeout=60s")
    expect(get("wasmactor", "rolled")["spec"]["image"] == AGAIN, json.dumps(get("wasmactor", "rolled")["spec"]))
    answers(port, "Hello again")
    # What comes back is the newest; the first is still there to go back to.
    wait_for("the revision has a new number", lambda: numbers("rolled") == [1, 3, 4])
    expect("skipped rollback (current template already matches revision 4)"
           in ctl("rollout", "undo", "wasmactor/rolled", "--to-revision=4"), "undo to the newest does something")
    ctl("rollout", "undo", "wasmactor/rolled", "--to-revision=1")
    ctl("rollout", "status", "wasmactor/rolled", "--timeout=60s")
    wait_for("the first image answers", lambda: "again" not in answers(port))
    status, err = ctl_fails("rollout", "undo", "wasmactor/rolled", "--to-revision=99")
    expect(status == 1 and "unable to find specified revision 99 in history" in err, err)
    # A manifest applied afterwards wins over what undo wrote.
    apply(again)
    ctl("rollout", "status", "wasmactor/rolled", "--timeout=60s")
    answers(port, "Hello again")
    remove_pair("rolled")
    wait_for("the revisions go with the actor", lambda: not numbers("rolled"))


@test
def rollout_pause_restart_and_limit():
    apply(actor("held", replicas=1, revisionHistoryLimit=1))
    wait_ready("held")
    expect(ctl("rollout", "pause", "wa/held") == "wasmactor.wasmctl.dev/held paused\n", "pause says something else")
    status, err = ctl_fails("rollout", "pause", "wa/held")
    expect(status == 1 and 'wasmactors.wasmctl.dev "held" is already paused' in err, err)
    status, err = ctl_fails("rollout", "undo", "wa/held")
    expect(status == 1 and "you cannot rollback a paused wasmactor" in err, err)
    apply(actor("held", image=AGAIN, replicas=1, revisionHistoryLimit=1, paused=True))
    wait_for("the actor says that it is held",
             lambda: condition(get("wasmactor", "held"), "Progressing")["reason"] == "Paused")
    expect(get("wasmactor", "held")["status"]["updatedReplicas"] == 0, "a paused actor was updated")
    # What is scaled meanwhile is what runs.
    apply(actor("held", image=AGAIN, replicas=2, revisionHistoryLimit=1, paused=True))
    wait_for("two replicas run", lambda: sorted(running_on("default_held").values()) == [1000, 1000])
    images = {c["image_ref"] for h in running_on("default_held") for c in inventory(h)["components"] if c["id"] == "default_held"}
    expect(images == {f"file://{HELLO}"}, f"a paused actor was scaled with {images}")
    wait_ready("held")
    apply(actor("held", image=AGAIN, replicas=1, revisionHistoryLimit=1, paused=True))
    ctl("rollout", "resume", "wa/held")
    ctl("rollout", "status", "wa/held", "--timeout=60s")
    before = get("wasmactor", "held")["status"]
    ctl("rollout", "restart", "wa/held")
    ctl("rollout", "status", "wa/held", "--timeout=60s")
    after = get("wasmactor", "held")["status"]
    expect(before["placements"][0]["revision"] != after["placements"][0]["revision"], "restart changed nothing")
    expect(after["currentRevision"] == after["updateRevision"] != before["updateRevision"], json.dumps(after))
    # Three revisions so far: the newest, and one old one by its limit.
    wait_for("old revisions are dropped", lambda: numbers("held") == [2, 3])
    wait_for("one replica is left", lambda: sum(running_on("default_held").values()) == 1000)
    delete("wasmactor", "held")


@test
def rollout_follows_configuration():
    """The content of a ConfigMap or Secret makes a revision; that of a Secret is kept nowhere in it."""
    def source(kind, value):
        apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": "rolled-config", "namespace": "default"},
               "data" if kind == "ConfigMap" else "stringData": {"greeting": value}})

    source("ConfigMap", "one")
    source("Secret", "quiet-one")
    apply(actor("configured", configFrom=[{"configMapRef": {"name": "rolled-config"}}, {"secretRef": {"name": "rolled-config"}}]))
    wait_ready("configured")
    wait_for("a revision is kept", lambda: numbers("configured") == [1])
    source("Secret", "quiet-two")
    wait_for("the new secret makes a revision", lambda: numbers("configured") == [1, 2])
    text = json.dumps(revisions("configured"))
    expect("quiet" not in text and "rolled-config" in text, text)
    ctl("rollout", "status", "wasmactor/configured", "--timeout=60s")
    delete("wasmactor", "configured")
    ctl("delete", "configmap/rolled-config", "secret/rolled-config")
