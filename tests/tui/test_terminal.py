"""The dashboard and its terminal: test_terminal.py WASMCTL. However it ends, the terminal is as before; it is suspended and goes on;
a terminal that stalls, closes, is resized in every moment or knows little stops nothing."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import scene  # noqa: E402

WASMCTL = sys.argv[1]
PATIENCE = 20  # s; only ends what hangs
LEAVES_SCREEN = b"\x1b[?1049l"
recording = tempfile.NamedTemporaryFile("w", suffix=".jsonl")
recording.write('{"recording":"wasmctl dash","version":1}\n')
recording.writelines(json.dumps(line) + "\n" for line in scene.clouds("gcp", "aws", "azure").lines)
recording.flush()

# A shell in little: runs the command as a job in the foreground, and goes on with it once it has stopped.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
try:
    os.setpgid(child, child)
except OSError:
    pass
while True:
    _, status = os.waitpid(child, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        break
    os.write(1, b"[stopped]")
    sys.stdin.buffer.raw.read(1)
    os.tcsetpgrp(0, child)
    os.killpg(child, signal.SIGCONT)
os.write(1, b"[ended %d]" % status)
"""


class Terminal:
    def __init__(self, *options, term="xterm-256color", size=(100, 30), shell=False, env=None, ignore=(), replay=True):
        command = [WASMCTL, "dash", *(("--replay", recording.name) if replay else ()), *options]
        if shell:
            command = [sys.executable, "-c", SHELL, *command]
        self.master, slave = pty.openpty()
        self.out = b""
        self.resize(*size)
        attributes = termios.tcgetattr(slave)
        attributes[0] |= termios.IXON
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.before = termios.tcgetattr(slave)

        def prepare():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for signum in ignore:
                signal.signal(signum, signal.SIG_IGN)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=prepare,
                                        env={**os.environ, "TERM": term, "XDG_CONFIG_HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC", **(env or {})})
        self.slave = slave

    def resize(self, w, h):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", h, w, 0, 0))

    def read(self, timeout=0.1):
        """One piece of output; False at its end."""
        if select.select([self.master], [], [], timeout)[0]:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                return False
            self.out += piece
            return bool(piece)
        return True

    def until(self, what, look):
        end = time.monotonic() + PATIENCE
        while not look():
            if time.monotonic() > end or not self.read():
                if look():
                    return
                raise AssertionError(f"never: {what}; exit {self.process.poll()}; the last output: {self.out[-600:]!r}")

    def sees(self, text):
        self.until(f"{text!r} on the screen", lambda: text in self.out)

    def press(self, keys):
        self.out = b""
        os.write(self.master, keys)

    def ended(self):
        """Exit status; what it wrote is read to the end."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read()
        while select.select([self.master], [], [], 0)[0] and self.read(0):
            pass
        return self.process.returncode

    def restored(self):
        now = termios.tcgetattr(self.master)
        assert now == self.before, f"modes of the terminal are not what they were: {now} instead of {self.before}"
        assert not fcntl.fcntl(self.slave, fcntl.F_GETFL) & os.O_NONBLOCK, "programs after it would not wait for input"
        assert LEAVES_SCREEN in self.out, f"the alternate screen is not left: {self.out[-200:]!r}"
        tail = self.out[self.out.rindex(LEAVES_SCREEN):]
        assert b"Clusters" not in tail, "something is drawn after the screen was given back"

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        try:
            os.close(self.master)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def cpu_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_quit_restores():
    with Terminal() as t:
        t.sees(b"Clusters")
        assert termios.tcgetattr(t.master) != t.before
        t.press(b"q")
        assert t.ended() == 0
        t.restored()


def test_signals_restore():
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT,
                   signal.SIGFPE, signal.SIGILL):
        with Terminal() as t:
            t.sees(b"Clusters")
            t.process.send_signal(signum)
            assert t.ended() == -signum, (signum, t.process.returncode)
            t.restored()


def test_mouse_is_given_back():
    for end, status in ((None, 0), (signal.SIGSEGV, -signal.SIGSEGV)):
        with Terminal("--mouse") as t:
            t.until("the mouse is asked for", lambda: re.search(rb"\x1b\[\?[0-9;]*1000[0-9;]*h", t.out))
            t.sees(b"Clusters")
            if end:
                t.process.send_signal(end)
            else:
                t.press(b"q")
            assert t.ended() == status
            t.restored()
            assert re.search(rb"\x1b\[\?[0-9;]*1000[0-9;]*l", t.out)


def test_mouse():
    with Terminal("--mouse", "--layout", "v(actors, hosts)") as t:
        t.sees(b"Actors")
        t.press(b"\x1b[<0;10;20M\x1b[<0;10;20m")  # a click into the lower pane
        t.press(b"z")
        t.until("the clicked pane alone", lambda: b"Hosts" in t.out or t.out.count(b"quiet") > 1)
        t.press(b"q")
        assert t.ended() == 0


def test_closed_terminal():
    """Also when SIGHUP is ignored (nohup) it ends, and does not spin."""
    for ignore in ((), (signal.SIGHUP,)):
        with Terminal(ignore=ignore) as t:
            t.sees(b"Clusters")
            os.close(t.master)
            began = time.monotonic()
            try:
                t.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                raise AssertionError("it lives on without a terminal") from None
            print(f"    terminal closed to end: {time.monotonic() - began:.2f} s")


def test_suspended():
    with Terminal(shell=True) as t:
        t.sees(b"Clusters")
        for _ in range(2):
            t.press(b"\x1a")
            t.sees(b"[stopped]")
            t.restored()
            t.press(b"\n")  # goes on
            t.sees(b"Clusters")
            assert termios.tcgetattr(t.master) != t.before
        t.press(b"q")
        t.sees(b"[ended 0]")
        t.restored()


def test_suspended_by_others():
    """kill -TSTP, and kill -STOP with a terminal that was changed meanwhile."""
    with Terminal(shell=True) as t:
        t.sees(b"Clusters")
        pid = int(subprocess.run(["pgrep", "-P", str(t.process.pid)], capture_output=True, text=True, check=True).stdout)
        for signum in (signal.SIGTSTP, signal.SIGSTOP):
            t.out = b""
            os.kill(pid, signum)
            t.sees(b"[stopped]")
            termios.tcsetattr(t.master, termios.TCSANOW, t.before)
            t.press(b"\n")
            t.sees(b"Clusters")
            t.until("modes of its own", lambda: termios.tcgetattr(t.master) != t.before)
        t.press(b"q")
        t.sees(b"[ended 0]")
        t.restored()


def test_no_job_control():
    """Where nobody could go on with it Ctrl-Z does nothing."""
    with Terminal() as t:
        t.sees(b"Clusters")
        t.press(b"\x1a")
        t.press(b"z")
        t.sees(b"\x1b")
        t.press(b"q")
        assert t.ended() == 0
        t.restored()


def test_resized_in_every_moment():
    with Terminal() as t:
        for i in range(60):
            t.resize(*((10, 3), (300, 100), (60, 15), (1, 1), (80, 2), (13, 40), (1000, 30))[i % 7])
            t.read(0.01)
        t.resize(90, 25)
        t.sees(b"Clusters")
        t.press(b"q")
        assert t.ended() == 0
        t.restored()


def test_stalled():
    """A terminal that takes nothing: the program goes on, and ends when told to."""
    with Terminal(size=(300, 100)) as t:
        t.sees(b"Clusters")
        for i in range(80):
            t.resize(300 - i % 2, 100)
            os.write(t.master, b"z")
            time.sleep(0.04)  # a frame; nobody reads
        used = cpu_of(t.process.pid)
        time.sleep(1)
        used = cpu_of(t.process.pid) - used
        print(f"    CPU time of a second with a stalled terminal: {used:.2f} s")
        assert used < 0.5
        t.process.send_signal(signal.SIGTERM)
        t.process.wait(PATIENCE)
        assert t.ended() == -signal.SIGTERM


def test_stalled_and_back():
    with Terminal(size=(300, 100)) as t:
        t.sees(b"Clusters")
        for i in range(80):
            t.resize(300 - i % 2, 100)
            time.sleep(0.02)
        t.resize(100, 30)
        os.write(t.master, b"/")
        os.write(t.master, b"some-filter")
        t.out = b""
        t.sees(b"some-filter")
        os.write(t.master, b"\x03q")
        assert t.ended() == 0
        t.restored()


def test_terminals():
    for term in ("xterm", "xterm-256color", "screen", "screen-256color", "tmux-256color", "linux", "vt100", "vt220", "rxvt", "ansi"):
        if subprocess.run(["infocmp", term], capture_output=True).returncode:
            print(f"    not described here: {term}")
            continue
        with Terminal(term=term) as t:
            t.sees(b"Clusters")
            t.press(b"q")
            assert t.ended() == 0, term
            assert termios.tcgetattr(t.master) == t.before


def test_locale():
    for locale, wanted in (("C.UTF-8", "┌".encode()), ("C", b"+-")):
        with Terminal(env={"LC_ALL": locale}) as t:
            t.sees(b"Clusters")
            t.until("frames", lambda: wanted in t.out)
            t.press(b"q")
            assert t.ended() == 0


def test_themes():
    for theme, sign in (("default", b"38;5;75"), ("light", b"38;5;25"), ("high-contrast", b"\x1b[96m"), ("mono", b";7m")):
        with Terminal("--theme", theme, "--layout", "actors") as t:
            t.until(f"{sign!r} of {theme}", lambda: sign in t.out)
            t.press(b"q")
            assert t.ended() == 0


def test_config():
    with tempfile.TemporaryDirectory() as home:
        env = {"XDG_CONFIG_HOME": home}
        with Terminal("--layout", "h(actors, hosts)", env=env) as t:
            t.sees(b"Actors")
            t.press(b":layout save mine\r")
            t.sees(b"layout mine is kept in")
            t.press(b":theme high-contrast\r")
            t.sees(b"\x1b[96m")
            t.press(b":theme nonsense\r")
            t.sees(b"there is no theme")
            t.press(b"q")
            assert t.ended() == 0
        path = os.path.join(home, "wasmctl", "dash.yaml")
        assert "h(actors, hosts)" in open(path).read()
        with open(path, "a") as file:
            file.write("layout: mine\nkeys:\n  global.quit: Q\n")
        with Terminal(env=env) as t:
            t.sees(b"Actors")
            assert b"Clusters" not in t.out
            t.press(b"q")
            t.press(b"Q")
            assert t.ended() == 0
        with open(path, "a") as file:
            file.write("  global.zoom: Q\n")
        with Terminal(env=env) as t:
            assert t.ended() == 1
            assert b'dash.yaml:5: the key "Q" is that of global.zoom too' in t.out and b"\x1b[" not in t.out, t.out
        with Terminal("--config", os.path.join(home, "absent.yaml")) as t:
            assert t.ended() == 1 and b"absent.yaml" in t.out


def test_terminals_that_cannot():
    for term, why in (("dumb", b"no way to move the cursor"), ("nonsense", b"is not known here"), ("", b"is not known here")):
        with Terminal(term=term) as t:
            assert t.ended() == 1, term
            assert why in t.out and b'"' + term.encode() + b'"' in t.out, t.out
            assert termios.tcgetattr(t.master) == t.before


def test_no_terminal():
    done = subprocess.run([WASMCTL, "dash", "--replay", recording.name], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "needs a terminal" in done.stderr, done


def colours(out):
    """What is said about colours: parameters of SGR that are 30 and more."""
    return {p for m in re.findall(rb"\x1b\[([0-9;]*)m", out) for p in m.split(b";") if p.isdigit() and 30 <= int(p) < 110}


def test_colours():
    for term, env, options, wanted in (("xterm-256color", {}, (), True), ("xterm-256color", {"NO_COLOR": "1"}, (), False),
                                       ("xterm-256color", {}, ("--color=never",), False), ("xterm", {}, (), True), ("vt100", {}, (), False)):
        with Terminal(*options, term=term, env={**{"NO_COLOR": ""}, **env}) as t:
            t.sees(b"Clusters")
            t.press(b"q")
            first = t.out
            assert t.ended() == 0
        with Terminal(*options, term=term, env={**{"NO_COLOR": ""}, **env}) as t:
            t.sees(b"failed")
            got = colours(t.out) - {b"39", b"49"}
            assert bool(got) == wanted, (term, env, options, got, first[:0])
            if term == "xterm":
                assert b"38;5" not in t.out
            t.press(b"q")
            t.ended()


def main():
    wanted = sys.argv[2:]
    for name, test in [(n, f) for n, f in globals().items() if n.startswith("test_") and (not wanted or n in wanted)]:
        began = time.monotonic()
        test()
        print(f"{name}: {time.monotonic() - began:.2f} s", flush=True)


main()
