"""Everything at once: random faults and changes, one after another, and in the end everything must be as the objects say."""
import json
import os
import random
import signal
import time

from chaos import first_answer
from harness import (HELLO, HELLO_AGAIN, HTTP_CAPABILITY, Env, actor, apply, control, ctl, delete, dev, exists, expect, free_port,
                     get, is_ready, links_of, provider, wait_for)
from pool import OperatorWatch, Pool, kill_operator


class Monkey:
    """Knows what it has done, and so what must be there in the end."""

    def __init__(self, pool, chance):
        self.pool, self.chance = pool, chance
        self.port = free_port()
        # name -> [image, replicas]
        self.wanted = {f"monkey-{n}": [HELLO, n] for n in (1, 2, 3, 5)}
        self.cordoned = set()
        self.frozen = set()
        self.done = []

    def apply_actor(self, name):
        image, replicas = self.wanted[name]
        spec = {"replicas": replicas, "placement": self.pool.selector(role="actor")}
        if name == "monkey-1":
            spec["capabilities"] = [{"interface": HTTP_CAPABILITY, "provider": "monkey-http"}]
        apply(actor(name, image=f"file://{image}", **spec))

    def living(self):
        """Those that may be struck. Not the one with the provider: all hosts share one machine, and a frozen provider keeps its address,
        so that the one in its place could not have it."""
        return [h for h in self.pool.with_label("role", "actor") if h.lives() and h not in self.frozen]

    def kill_host(self):
        if len(self.living()) > 2:
            self.chance.choice(self.living()).signal(signal.SIGKILL)

    def start_hosts(self):
        for host in self.pool.hosts:
            if not host.lives():
                host.start()

    def freeze_host(self):
        if len(self.living()) > 2:
            host = self.chance.choice(self.living())
            host.signal(signal.SIGSTOP)
            self.frozen.add(host)

    def thaw_hosts(self):
        for host in self.frozen:
            host.signal(signal.SIGCONT)
        self.frozen.clear()

    def cordon_host(self):
        host = self.chance.choice(self.pool.with_label("role", "actor"))
        if exists("latticehost", host.object):
            ctl("cordon", host.object)
            self.cordoned.add(host)

    def uncordon_hosts(self):
        for host in self.cordoned:
            ctl("uncordon", host.object)
        self.cordoned.clear()

    def kill_operator(self):
        kill_operator()

    def hang(self):
        """The bus or the operator, for a moment."""
        pid = Env.get().child(self.chance.choice(["nats", "operator"]))["pid"]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.2, 3.5))
        os.kill(pid, signal.SIGCONT)

    def kill_bus(self):
        dev("child", "kill", "nats")
        time.sleep(self.chance.uniform(0, 3))
        dev("child", "start", "nats")

    def change_image(self):
        name = self.chance.choice(list(self.wanted))
        self.wanted[name][0] = HELLO_AGAIN if self.wanted[name][0] == HELLO else HELLO
        self.apply_actor(name)

    def try_bad_image(self):
        name = self.chance.choice(list(self.wanted))
        good, self.wanted[name][0] = self.wanted[name][0], "/nowhere/bad.wasm"
        self.apply_actor(name)
        time.sleep(self.chance.uniform(0, 1))
        self.wanted[name][0] = good
        self.apply_actor(name)

    def scale(self):
        name = self.chance.choice(list(self.wanted))
        self.wanted[name][1] = self.chance.randint(1, 6)
        self.apply_actor(name)

    def make_anew(self):
        name = self.chance.choice(list(self.wanted))
        ctl("delete", "wasmactor", name, "--wait=false")
        wait_for(f"{name} is gone", lambda: not exists("wasmactor", name), 60)
        self.apply_actor(name)

    def step(self):
        what = self.chance.choice([self.kill_host, self.kill_host, self.start_hosts, self.freeze_host, self.thaw_hosts, self.thaw_hosts,
                                   self.cordon_host, self.uncordon_hosts, self.kill_operator, self.hang, self.kill_bus, self.change_image,
                                   self.change_image, self.try_bad_image, self.scale, self.scale, self.make_anew])
        self.done.append(what.__name__)
        what()

    def rest(self):
        self.thaw_hosts()
        self.pool.back(self.pool.hosts)
        self.uncordon_hosts()

    def check(self):
        wait_for("everything is right", self.is_right, 60)

    def is_right(self):
        """Objects, hosts and links agree; Failed says what does not."""
        # Hosts that a bus restart has left deaf are stopped by the operator, to be started again by whoever looks after them.
        self.start_hosts()
        expect(is_ready(get("wasmprovider", "monkey-http")), "the provider is not Ready")
        for name, (image, replicas) in self.wanted.items():
            obj, running = get("wasmactor", name), self.pool.running(f"default_{name}")
            status = obj["status"]
            expect(is_ready(obj), f"{name} is not Ready: {json.dumps(status)}")
            expect(sum(running.values()) == 1000 * replicas, f"{name}: {replicas} wanted, not {named(running)}")
            images = set(self.pool.images(f"default_{name}").values())
            expect(images == {f"file://{image}"}, f"{name} runs {images}, not {image}")
            expect({p["host"]: 1000 * p["ready"] for p in status["placements"]} == {h.object: n for h, n in running.items()},
                   f"the status of {name} is wrong: {json.dumps(status)} but {named(running)}")
            expect(status["replicas"] == status["readyReplicas"] == status["updatedReplicas"] == replicas, json.dumps(status))
        ours = {f"default_{name}" for name in self.wanted}
        for host in self.pool.hosts:
            left = {c["id"] for c in control(f"host.get.{host.id}")["components"]} - ours
            expect(not left, f"{host.name} still runs {left}")
        expect(len(links_of("default_monkey-1")) == 1, f"links: {links_of('default_monkey-1')}")
        return first_answer(self.port, 5)


def named(running):
    return {host.name: n for host, n in running.items()}


def monkey(rounds, steps, seed):
    """So many rounds of random steps; after each everything must be right and stay so."""
    print(f"seed {seed}")
    with Pool("monkey", {"role": "entrance"}, *[{"role": "actor"}] * 4) as pool:
        m = Monkey(pool, random.Random(seed))
        apply(provider("monkey-http", m.port, placement=pool.selector(role="entrance")))
        for name in m.wanted:
            m.apply_actor(name)
        m.check()
        for i in range(rounds):
            m.done.clear()
            for _ in range(steps):
                m.step()
                time.sleep(m.chance.uniform(0, 0.8))
            m.rest()
            began = time.monotonic()
            try:
                m.check()
            except Exception:
                print(f"round {i}: {', '.join(m.done)}")
                raise
            print(f"round {i + 1}: {steps} faults and changes, everything right {time.monotonic() - began:.2f} s after the last", flush=True)
            watch = OperatorWatch()
            time.sleep(2)
            acts = [l for l in watch.lines() if " start " in l or " stop " in l or " scale " in l or " update " in l]
            expect(not acts, "it does not come to rest:\n" + "\n".join(acts))
        for name in m.wanted:
            delete("wasmactor", name)
        delete("wasmprovider", "monkey-http")
        for host in pool.hosts:
            left = control(f"host.get.{host.id}")
            expect(not left["components"] and not left["providers"], f"{host.name} still runs {left}")
