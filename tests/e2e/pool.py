"""What tests of failures need beyond harness.py: hosts of a test's own that it may kill, freeze and start again, what the operator says
and holds meanwhile, and a watch that knows when."""
import codecs
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from harness import WASMCTL, Env, Failed, condition, dev, expect, get, inventory, parts_path, run, wait_for


class Host:
    """One host process with an identity that stays over its deaths."""

    def __init__(self, name, labels):
        self.name, self.labels, self.process = name, labels, None
        self.program = os.path.join(parts_path("wasmcloud-host"), "wasmcloud-host")
        identity = json.loads(run(self.program, "--gen-seed")[1])
        self.seed, self.id = identity["seed"], identity["id"]
        self.object = self.id.lower()
        self.folder = tempfile.mkdtemp(prefix=f"wasmctl-e2e-{name}-")

    def start(self):
        args = [self.program, "--nats", Env.get().nats, "--heartbeat-seconds", "2", "--allow-file"]
        for key, value in self.labels.items():
            args += ["--label", f"{key}={value}"]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            # A session of its own: a signal reaches the providers it started too, as when their machine dies.
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                                            env={**os.environ, "TMPDIR": self.folder, "WASMCLOUD_HOST_SEED": self.seed})

    def signal(self, number):
        """To the host and the providers it started; the time of it."""
        at = time.monotonic()
        os.killpg(self.process.pid, number)
        if number == signal.SIGKILL:
            self.process.wait()
        return at

    def lives(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """In good order: it says goodbye to the lattice."""
        if self.lives():
            os.killpg(self.process.pid, signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def ready(self):
        return condition(get("latticehost", self.object), "Ready")["status"] == "True"


class Pool:
    """Hosts with the label pool=NAME beside those of the environment: one for each dict of labels."""

    def __init__(self, name, *labels):
        self.name = name
        self.hosts = [Host(f"{name}-{i}", {"pool": name, **l}) for i, l in enumerate(labels)]

    def __enter__(self):
        try:
            for host in self.hosts:
                host.start()
            for host in self.hosts:
                wait_for(f"host {host.name} is mirrored", host.ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.stop()
        for host in self.hosts:
            shutil.rmtree(host.folder, ignore_errors=True)

    def selector(self, **labels):
        return {"hostSelector": {"matchLabels": {"pool": self.name, **labels}}}

    def with_label(self, key, value):
        return [h for h in self.hosts if h.labels.get(key) == value]

    def by_id(self, host_id):
        return next(h for h in self.hosts if h.id == host_id.upper())

    def running(self, component):
        """{host: count} of a component, asked of every living host of the pool."""
        found = {}
        for host in self.hosts:
            if host.lives():
                for c in inventory(host.id).get("components", []):
                    if c["id"] == component:
                        found[host] = c["max_instances"]
        return found

    def images(self, component):
        return {h: c["image_ref"] for h in self.hosts if h.lives() for c in inventory(h.id)["components"] if c["id"] == component}

    def back(self, hosts):
        for host in hosts:
            if not host.lives():
                host.start()
        for host in hosts:
            wait_for(f"host {host.name} is back", host.ready)


def kill_operator():
    """kill -9 of the operator, and its start when it is really gone."""
    pid = Env.get().child("operator")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for("the operator is gone", lambda: not os.path.exists(f"/proc/{pid}"))
    dev("child", "start", "operator")


class OperatorWatch:
    """What the operator wrote and how it grew while a test ran. close() prints it and checks that nothing is said without end:
    no line but for its numbers and names more than `most` times."""

    def __init__(self):
        self.log = Env.get().child("operator")["log"]
        self.offset = os.path.getsize(self.log)
        self.inode = os.stat(self.log).st_ino
        self.pid = Env.get().child("operator")["pid"]
        self.rss = self.read_rss()

    def read_rss(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def lines(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            # A log put aside at a restart of the operator begins anew.
            if os.fstat(f.fileno()).st_ino == self.inode:
                f.seek(self.offset)
            return f.read().splitlines()

    def close(self, most=100):
        shapes = collections.Counter(shape_of(line) for line in self.lines())
        shape, n = shapes.most_common(1)[0] if shapes else ("nothing", 0)
        text = f"operator: {sum(shapes.values())} log lines, the most frequent {n} times: {shape[:90]}"
        if Env.get().child("operator")["pid"] == self.pid:
            now = self.read_rss()
            text += f"; resident memory {self.rss / 1024:.1f} MiB before, {now / 1024:.1f} MiB after"
            expect(now - self.rss < 32 * 1024, f"the operator grew: {text}")
        print(text)
        expect(n <= most, f"the operator repeats itself: {text}")


def shape_of(line):
    """A log line without what differs from one occurrence to the next: time, numbers, ids of hosts."""
    line = line.split(" ", 1)[1] if " " in line else line
    line = re.sub(r"\bN[A-Z0-9]{55}\b", "HOST", line)
    return re.sub(r"\d+", "0", line)


class ActorWatch:
    """When actors were made and when they were Ready, as a client that watches sees it."""

    def __init__(self):
        self.made, self.ready = {}, {}
        self.process = subprocess.Popen([WASMCTL, "get", "wasmactors", "-n", "default", "-w", "-o", "json"], stdout=subprocess.PIPE,
                                        env={**os.environ, "KUBECONFIG": Env.get().kubeconfig})
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.thread.join(10)
        self.process.stdout.close()

    def read(self):
        decoder, characters, text = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")(), ""
        while data := os.read(self.process.stdout.fileno(), 65536):
            now = time.monotonic()
            text += characters.decode(data)
            while text := text.lstrip():
                try:
                    obj, end = decoder.raw_decode(text)
                except ValueError:
                    break
                text = text[end:]
                self.note(obj, now)

    def note(self, obj, now):
        for one in obj.get("items", [obj]):
            name = one["metadata"]["name"]
            self.made.setdefault(name, now)
            if condition(one, "Ready")["status"] == "True":
                self.ready.setdefault(name, now)

    def took(self, names):
        """Seconds from made to Ready, sorted; Failed while one is missing."""
        missing = [n for n in names if n not in self.ready]
        if missing:
            raise Failed(f"not Ready yet: {', '.join(missing)}")
        return sorted(self.ready[n] - self.made[n] for n in names)


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]

