"""`wasmctl tail` of what runs on real hosts: an actor's lines wherever it is moved, what happens on the lattice, Kubernetes Events."""
import os
import re
import signal
import subprocess
import threading

from harness import (WASMCTL, Env, actor, answers, apply, ctl, delete, dev, expect, free_port, http_get, http_pair, remove_pair, running_on, test,
                     wait_for, wait_ready)


class Tail:
    def __init__(self, *args):
        self.process = subprocess.Popen([WASMCTL, "tail", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "KUBECONFIG": Env.get().kubeconfig})
        self.lines, self.talk = [], []
        for stream, to in ((self.process.stdout, self.lines), (self.process.stderr, self.talk)):
            threading.Thread(target=self.read, args=(stream, to), daemon=True).start()

    @staticmethod
    def read(stream, to):
        for line in stream:
            to.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)

    def says(self, pattern, first=0, timeout=40):
        """The first line from `first` on that matches."""
        return wait_for(f"a line like {pattern!r}; the last are {self.lines[-4:]}, {self.talk[-3:]}",
                        lambda: next((line for line in self.lines[first:] if re.search(pattern, line)), None), timeout)

    def tells(self, pattern):
        return wait_for(f"talk of {pattern!r} in {self.talk}", lambda: any(re.search(pattern, t) for t in self.talk))


def host_of(component):
    hosts = running_on(component)
    return next(iter(hosts)) if len(hosts) == 1 else None


def child_of(host_id):
    return next(h for h in Env.get().hosts() if h["hostID"] == host_id)


@test
def tail_follows_an_actor_from_host_to_host():
    port = free_port()
    http_pair("tailed", port, replicas=1)
    wait_for("it answers", lambda: answers(port))
    first = wait_for("it runs on one host", lambda: host_of("default_tailed"))
    pod = f"wasmcloud-{child_of(first)['name']}"
    with Tail("wasmactor/tailed") as named, Tail("wa/tailed", "--host-lines", "--events", "--lattice-events") as whole:
        named.says(rf"^{pod} host .*component started")
        whole.tells("lattice/default")
        http_get(port)
        whole.says(rf"^{pod} host hello: GET / -> 200")
        whole.says(r"^events (\(late\) )?Normal .* wasmactor/tailed: ")  # times of Events are whole seconds
        expect(not any("hello: GET" in line for line in named.lines), "a line that names no component is shown")
        at, at_whole = len(named.lines), len(whole.lines)
        killed = child_of(first)["name"]
        dev("host", "kill", killed, "--signal", "9")
        whole.says(rf"^lattice/default .*host {first}.* heartbeat lost", at_whole)
        second = wait_for("another host runs it", lambda: (h := host_of("default_tailed")) and h != first and h)
        other = f"wasmcloud-{child_of(second)['name']}"
        named.says(rf"^{other} host .*component started", at)
        whole.says(rf"^lattice/default .*component default_tailed scaled to .* on {second}", at_whole)
        wait_ready("tailed")
        wait_for("it answers", lambda: answers(port))
        whole.says(rf"^{other} host hello: GET / -> 200", at_whole)
        for tail in (named, whole):
            logged = [line.replace("(late) ", "") for line in tail.lines if re.search(r" \d{4}-.*component started", line)]
            expect(len(logged) == len(set(logged)), f"a line twice: {logged}")
    remove_pair("tailed")
    dev("host", "start", killed)


@test
def tail_tells_what_happens_on_the_lattice():
    with Tail("lattice/default", "--lattice-events", "--tail=0") as tail, \
            Tail("wasmactor/noted", "--events", "--lattice-events") as waiting:
        waiting.tells('"noted" not found; waiting for it')
        tail.tells(r"lattice/default \(3 hosts\)")
        apply(actor("noted", replicas=2))
        wait_ready("noted")
        tail.says("^lattice/default component default_noted scaled to 1000 calls at once on N")
        waiting.tells("wasmactor/noted is there")
        waiting.says("^events Normal .* wasmactor/noted: ")
        waiting.says(r"host .*component started")
        delete("wasmactor", "noted")
        tail.says("^lattice/default component default_noted stopped on N")
        waiting.tells("wasmactor/noted is gone; waiting for it to come back")
        expect(not any("cannot be reached" in t for t in tail.talk + waiting.talk), f"{tail.talk}")
