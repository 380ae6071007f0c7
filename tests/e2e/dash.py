"""The dashboard in a real terminal (tmux) against the real environment."""
import codecs
import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import threading
import time

from harness import WASMCTL, Env, Failed, actor, apply, condition, delete, expect, get, run, test, wait_for, wait_ready
from pool import Pool

LATE = 1.0  # s: what the API says is on the screen within it


class Screen:
    """wasmctl dash in a shell in a tmux server of its own."""

    def __init__(self, *options, size=(150, 44), kubeconfig=None):
        self.folder = tempfile.mkdtemp(prefix="wasmctl-e2e-dash-")
        self.tmux = ["tmux", "-S", os.path.join(self.folder, "socket"), "-f", "/dev/null"]
        self.told = os.path.join(self.folder, "told")
        dash = shlex.join([os.path.abspath(WASMCTL), "dash", *options])
        # The modes of the terminal and how it ended, as the shell sees them.
        script = f"stty -g >{self.told}.before; {dash}; echo $? >{self.told}.status; stty -g >{self.told}.after; echo back in the shell; cat"
        env = {**os.environ, "KUBECONFIG": kubeconfig or Env.get().kubeconfig, "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": self.folder, "TMUX": ""}
        subprocess.run([*self.tmux, "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), script], check=True, env=env, timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.tmux, "kill-server"], capture_output=True, timeout=20)
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def text(self):
        return run(*self.tmux, "capture-pane", "-p")[1]

    def press(self, *keys):
        run(*self.tmux, "send-keys", *keys)

    def type(self, text):
        run(*self.tmux, "send-keys", "-l", "--", text)

    def resize(self, w, h):
        run(*self.tmux, "resize-window", "-x", str(w), "-y", str(h))

    def shows(self, what, *rows):
        """Waits for rows (a list of words each, all in one line); the time at which they are there."""
        def look():
            lines = self.text().splitlines()
            if not all(any(all(word in line for word in row) for line in lines) for row in rows):
                raise Failed("\n".join(lines))
            return time.monotonic()
        return wait_for(f"the screen shows {what}", look)

    def read(self, name):
        with open(f"{self.told}.{name}") as f:
            return f.read().strip()

    def ends(self):
        self.press("q")
        self.shows("the shell", ["back in the shell"])
        expect(self.read("status") == "0", f"status {self.read('status')}")
        expect(self.read("after") == self.read("before"), "modes of the terminal are not what they were")
        expect("Actors" not in self.text(), f"the screen was not given back:\n{self.text()}")


class Watch:
    """The states of a kind as a client that watches sees them, with times."""

    def __init__(self, kind):
        self.seen, self.changed = [], threading.Condition()
        self.process = subprocess.Popen([WASMCTL, "get", kind, "-A", "-w", "-o", "json"], stdout=subprocess.PIPE,
                                        env={**os.environ, "KUBECONFIG": Env.get().kubeconfig})
        threading.Thread(target=self.read, daemon=True).start()

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
                with self.changed:
                    self.seen += [(now, o) for o in obj.get("items", [obj])]
                    self.changed.notify_all()

    def first(self, after, holds):
        """When something first held after a time."""
        with self.changed:
            def found():
                return next((at for at, o in self.seen if at > after and holds(o)), None)
            expect(self.changed.wait_for(found, 30), "the API never says it")
            return found()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def two_contexts():
    """The environment under two names."""
    config = json.loads(run(WASMCTL, "config", "view", "--raw", "-o", "json", env={"KUBECONFIG": Env.get().kubeconfig})[1])
    context = config["contexts"][0]["context"]
    config["contexts"] = [{"name": name, "context": context} for name in ("east", "west")]
    config["current-context"] = "east"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        yield file.name


@test
def dash_shows_a_lost_host_and_the_replacement():
    with Pool("dash", {"cloud": "here"}, {"cloud": "there"}) as pool, Screen("--layout", "v(hosts:40, actors:30, events:30)") as screen, \
            Watch("latticehosts") as hosts, Watch("wasmactors") as actors:
        # Hosts of other tests, long lost, are not to push these off the screen.
        screen.type("/-l pool=dash")
        screen.press("Enter")
        dashed = actor("dashed", replicas=1, placement=pool.selector())
        dashed["metadata"]["labels"] = {"pool": "dash"}
        apply(dashed)
        wait_ready("dashed")
        victim = next(iter(pool.running("default_dashed")))
        other = next(h for h in pool.hosts if h is not victim)
        friendly = get("latticehost", victim.object)["status"]["friendlyName"]
        screen.shows("the actor where it runs", ["dashed", "Ready", "1/1", f"{victim.labels['cloud']} 1"], [friendly, "Ready"])
        killed = victim.signal(signal.SIGKILL)
        lost = screen.shows("the host as lost", [friendly, "Lost"])
        moved = screen.shows("the replacement", ["dashed", "Ready", "1/1", f"{other.labels['cloud']} 1"])
        told_lost = hosts.first(killed, lambda o: o["metadata"]["name"] == victim.object and condition(o, "Ready")["status"] == "False")
        told_moved = actors.first(killed, lambda o: o["metadata"]["name"] == "dashed" and condition(o, "Ready")["status"] == "True"
                                  and any(p["host"] == other.object and p["state"] == "Running" for p in o["status"]["placements"]))
        print(f"killed to Lost in the API: {told_lost - killed:.2f} s; on the screen after {lost - told_lost:.2f} s more")
        print(f"killed to replaced in the API: {told_moved - killed:.2f} s; on the screen after {moved - told_moved:.2f} s more")
        expect(lost - told_lost < LATE and moved - told_moved < LATE, "the screen is late")
        screen.press("<")
        screen.shows("the past", [" ago"])
        screen.press(".")
        pool.back([victim])
        again = get("latticehost", victim.object)["status"]["friendlyName"]  # each start has a name of its own
        screen.shows("the host as ready again", [again, "Ready"])
        screen.ends()
        delete("wasmactor", "dashed")


@test
def dash_shows_two_contexts_and_is_resized():
    with two_contexts() as config, Screen("--contexts", "east,west", "--layout", "v(clusters, hosts)", kubeconfig=config) as screen:
        screen.shows("both contexts", ["east", "live"], ["west", "live"])
        for size in ((60, 15), (10, 3), (200, 60), (13, 40), (100, 30)):
            screen.resize(*size)
        screen.shows("both contexts", ["east", "live"], ["west", "live"])
        wait_for("the whole screen is used", lambda: len(screen.text().rstrip("\n").splitlines()) == 30)
        screen.type("/-l nothing-like-it")
        screen.press("Enter")
        screen.shows("no host", ["no hosts"])
        screen.press("Escape")
        screen.ends()
