"""Completion, kubeconfig files, plugins, the manual, suggestions, and the line of progress."""
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

import harness
from cluster import part
from harness import ACTORS, Answer, actor, listing, not_found, status

NAMESPACES = "/api/v1/namespaces"


class Completion(harness.CliTest):
    def words(self, *words, code=0, program=None, verb="__complete"):
        got = self.run_cli(*([verb] if verb else []), *words, program=program)
        self.assertEqual((code, ""), (got.code, got.err))
        lines = got.out.splitlines()
        self.assertRegex(lines[-1], r"^:\d+$")
        return [line.split("\t")[0] for line in lines[:-1]], int(lines[-1][1:])

    def test_commands_and_options_with_descriptions(self):
        got = self.run_cli("__complete", "rollout", "un")
        self.assertEqual("undo\tGo back to an earlier revision\n:4\n", got.out)
        got = self.run_cli("__completeNoDesc", "rollout", "un")
        self.assertEqual("undo\n:4\n", got.out)
        self.assertEqual((["--selector"], 4), self.words("get", "wa", "--sel"))
        self.assertEqual((["--context", "--contexts"], 4), self.words("get", "--conte"))
        self.assertIn("-o", self.words("get", "-")[0])
        self.assertNotIn("__complete", self.words("")[0])
        self.assertEqual(([], 0), self.words("nonsense", ""))
        self.assertEqual((["undo"], 4), self.words("help", "rollout", "un"))
        self.assertEqual(([], 4), self.words("get", "wa", "--", "--sel"))

    def test_values(self):
        self.assertEqual((["none", "client", "server"], 4), self.words("delete", "--dry-run="))
        self.assertEqual((["client"], 4), self.words("delete", "--dry-run=c"))
        self.assertIn("yaml", self.words("get", "wa", "-o", "")[0])
        self.assertEqual((["yaml"], 4), self.words("get", "wa", "-o=y"))
        self.assertEqual("json", self.words("apply", "-o", "")[0][0])
        self.assertEqual((["jsonpath=", "jsonpath-as-json=", "jsonpath-file="], 6), self.words("get", "wa", "-o", "jsonp"))
        self.assertEqual((["other"], 4), self.words("get", "wa", "--context", "o"))
        self.assertEqual((["other"], 4), self.words("get", "wa", "--context=o"))
        self.assertEqual((["test,other"], 4), self.words("get", "wa", "--contexts", "test,o"))
        self.assertEqual((["c"], 4), self.words("--cluster", ""))
        self.assertEqual((["u"], 4), self.words("config", "set-context", "x", "--user", ""))
        self.assertEqual((["yaml", "yml", "json"], 8), self.words("apply", "-f", ""))
        self.assertEqual(([], 0), self.words("get", "--kubeconfig", ""))
        self.assertEqual((["other"], 4), self.words("config", "use-context", "o"))
        self.assertEqual(([], 4), self.words("config", "rename-context", "other", ""))

    def serve(self):
        labels = [{"app": "web", "tier": "front"}, {"app": "db"}, {}]
        names = ["hello", "help", "odd name"]
        self.api.on("GET", ACTORS, Answer(listing(*[actor(n, labels=l) for n, l in zip(names, labels)])))
        self.api.on("GET", NAMESPACES, Answer(listing(*[{"metadata": {"name": n}} for n in ("default", "shop")])))

    def test_names_come_from_the_cluster_once(self):
        self.serve()
        self.assertEqual((["hello", "help"], 4), self.words("get", "wasmactor", "h"))
        self.assertEqual((["help"], 4), self.words("get", "wa", "hello", ""))
        self.assertEqual((["wa/hello", "wa/help"], 4), self.words("delete", "wa/"))
        self.assertEqual(([], 4), self.words("delete", "-f", "x", "wa/hello", "wa", ""))
        self.assertEqual((["app", "tier"], 6), self.words("get", "wa", "-l", ""))
        self.assertEqual((["app=web", "app=db"], 4), self.words("get", "wa", "-l", "app="))
        self.assertEqual((["app=web,tier"], 6), self.words("get", "wa", "-l", "app=web,t"))
        self.assertEqual((["shop"], 4), self.words("get", "wa", "-n", "s"))
        self.assertEqual(1, len([r for r in self.requests() if r.path == ACTORS]))
        self.assertEqual("500", self.requests()[0].query["limit"])
        self.assertIn("PartialObjectMetadataList", self.requests()[0].headers["Accept"])

    def test_what_has_logs(self):
        self.serve()
        pods = [{"metadata": {"name": n, "namespace": "default", "labels": {"app": n}}} for n in ("web-1", "web-2", "db-1")]
        self.api.on("GET", "/api/v1/namespaces/default/pods", Answer(listing(*pods)))
        self.api.on("GET", "/api/v1/nodes", Answer(listing({"metadata": {"name": "n1"}})))
        self.assertEqual((["web-1", "web-2", "wasmactor/", "wasmprovider/"], 6), self.words("tail", "w"))
        self.assertEqual((["web-2"], 4), self.words("tail", "web-1", "web"))
        self.assertEqual((["wasmactor/hello", "wasmactor/help"], 4), self.words("tail", "wasmactor/"))
        self.assertEqual((["app=db-1"], 4), self.words("tail", "-l", "app=d"))
        self.assertEqual((["n1"], 4), self.words("tail", "--node", ""))
        self.assertEqual((["pretty", "ppextjson"], 4), self.words("tail", "-o", "p"))

    def test_another_namespace_is_another_question(self):
        self.serve()
        self.words("get", "wa", "")
        self.assertEqual(([], 4), self.words("get", "wa", "--context", "other", ""))
        self.assertEqual(["/apis/wasmctl.dev/v1alpha1/namespaces/elsewhere/wasmactors"],
                         [r.path for r in self.requests() if "elsewhere" in r.path])

    def test_kinds(self):
        kinds, directives = self.words("get", "")
        self.assertEqual(4, directives)
        for kind in ("wasmactors", "latticehosts", "configmaps", "all"):
            self.assertIn(kind, kinds)
        self.assertEqual((["wa,lattices", "wa,latticehosts"], 4), self.words("get", "wa,lat"))
        self.assertEqual((["lattices/", "latticehosts/"], 6), self.words("delete", "wa/x", "lat"))

    def test_a_dead_server_is_asked_once_and_old_answers_serve(self):
        self.serve()
        self.words("get", "wa", "")
        folder = os.path.join(self.dir, ".cache", "wasmctl", "complete")
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with open(path) as f:
                lines = f.read().split("\n")
            lines[0] = f"wasmctl-complete 1 {time.time_ns() - 60 * 10**9} {time.time_ns() - 60 * 10**9}"
            with open(path, "w") as f:
                f.write("\n".join(lines))
        asked = len(self.requests())
        hang = self.hanging_server()
        self.env["KUBECONFIG"] = self.write("kubeconfig2", self.kubeconfig(f"http://127.0.0.1:{self.api.port}"))
        self.api.close()
        self.assertEqual((["hello", "help"], 4), self.words("get", "wa", "h"))
        self.env["KUBECONFIG"] = self.write("kubeconfig3", self.kubeconfig(f"http://127.0.0.1:{hang}"))
        began = time.monotonic()
        self.assertEqual(([], 4), self.words("get", "wa", "h"))
        first = time.monotonic() - began
        began = time.monotonic()
        self.assertEqual(([], 4), self.words("get", "cm", ""))
        second = time.monotonic() - began
        print(f"completion, a server that hangs: {first:.2f} s, then {second:.2f} s")
        self.assertLess(first, 5)
        self.assertLess(second, first)
        self.assertEqual(asked, len(self.requests()))

    def hanging_server(self):
        """A port that takes connections and never answers."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(16)
        self.addCleanup(s.close)
        return s.getsockname()[1]

    def test_credential_plugins_ask_nobody(self):
        log = os.path.join(self.dir, "pid")
        plugin = self.write("ask", f"#!/bin/sh\necho $$ >{log}\necho question >&2\n(echo question >/dev/tty) 2>/dev/null\n"
                                   "while :; do sleep 0.05; done\n")
        os.chmod(plugin, 0o700)
        config = self.kubeconfig(f"http://127.0.0.1:{self.api.port}").replace(
            "user: {}", f"user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin}, "
                        "interactiveMode: IfAvailable}}")
        self.env["KUBECONFIG"] = self.write("kubeconfig", config)
        self.assertEqual(([], 4), self.words("get", "wa", ""))
        with open(log) as f:
            pid = int(f.read())
        end = time.monotonic() + harness.RUN_TIMEOUT
        while os.path.exists(f"/proc/{pid}/status") and time.monotonic() < end:
            with open(f"/proc/{pid}/status") as f:
                if "State:\tZ" in f.read():
                    break
        self.assertLess(time.monotonic(), end, "the plugin runs on")
        os.unlink(log)
        self.assertEqual(([], 4), self.words("get", "wa", ""))
        self.assertFalse(os.path.exists(log), "the plugin was begun again at once")

    def test_kubectl_wasm(self):
        bin_ = os.path.join(self.dir, "bin")
        os.mkdir(bin_)
        for name in ("kubectl-wasm", "kubectl_complete-wasm"):
            os.symlink(os.path.abspath(harness.WASMCTL), os.path.join(bin_, name))
        self.env["PATH"] = bin_ + ":" + self.env["PATH"]
        self.assertEqual((["use-context"], 4),
                         self.words("config", "use", program=os.path.join(bin_, "kubectl_complete-wasm"), verb=None))
        if not part("kubectl"):
            self.skipTest("kubectl was not built")
        self.serve()
        done = subprocess.run([part("kubectl"), "__complete", "wasm", "get", "wa", "h"], capture_output=True, text=True,
                              env=self.env, timeout=harness.RUN_TIMEOUT)
        self.assertEqual((0, "hello\nhelp\n:4\n"), (done.returncode, done.stdout), done.stderr)
        done = subprocess.run([part("kubectl"), "wasm", "config", "current-context"], capture_output=True, text=True,
                              env=self.env, timeout=harness.RUN_TIMEOUT)
        self.assertEqual((0, "test\n"), (done.returncode, done.stdout), done.stderr)

    def shell_path(self):
        bin_ = os.path.join(self.dir, "bin")
        os.makedirs(bin_, exist_ok=True)
        os.symlink(os.path.abspath(harness.WASMCTL), os.path.join(bin_, "wasmctl"))
        self.env["PATH"] = bin_ + ":" + self.env["PATH"]

    def test_bash(self):
        if not shutil.which("bash"):
            self.skipTest("no bash")
        self.shell_path()
        self.serve()
        self.write("one.yaml", "")
        self.write("two.txt", "")
        with open(self.env["KUBECONFIG"], "a") as f:
            f.write("- {name: \"$(touch owned)\", context: {}}\n- {name: \"bad\\e[1m\", context: {}}\n")
        script = r"""
source <(wasmctl completion bash)
try() { # the words as bash takes them apart
    COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=()
    local rest=$1 word
    while [[ -n $rest ]]; do
        case $rest in
        [[:space:]]*) rest=${rest:1} ;;
        [=:]*) word=${rest%%[!=:]*}; COMP_WORDS+=("$word"); rest=${rest#"$word"} ;;
        *) word=${rest%%[=:[:space:]]*}; COMP_WORDS+=("$word"); rest=${rest#"$word"} ;;
        esac
    done
    [[ $1 == *[[:space:]] ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _wasmctl
    echo "$1> ${COMPREPLY[*]}"
}
try "wasmctl config us"
try "wasmctl get wa h"
try "wasmctl get --context="
try "wasmctl get --context=o"
try "wasmctl get --context o"
try "wasmctl get wa -l app="
try "wasmctl get wa -l app=w"
try "wasmctl apply -f "
try "wasmctl rollout status wa/he"
"""
        done = subprocess.run(["bash", "--norc", "-c", script], env=self.env, cwd=self.dir, capture_output=True, text=True,
                              timeout=harness.RUN_TIMEOUT)
        folders = " ".join(sorted(n for n in os.listdir(self.dir) if os.path.isdir(os.path.join(self.dir, n)) and n[0] != "."))
        got = {line.split("> ")[0]: line.split("> ")[1].split() for line in done.stdout.splitlines()}
        self.assertEqual("", done.stderr)
        self.assertEqual(["use-context"], got["wasmctl config us"])
        self.assertEqual(["hello", "help"], got["wasmctl get wa h"])
        self.assertEqual(["\\$\\(touch\\", "owned\\)", "broken", "other", "test"], got["wasmctl get --context="])
        self.assertFalse(os.path.exists(os.path.join(self.dir, "owned")))
        self.assertEqual(["other"], got["wasmctl get --context=o"])
        self.assertEqual(["other"], got["wasmctl get --context o"])
        self.assertEqual(["web", "db"], got["wasmctl get wa -l app="])
        self.assertEqual(["web"], got["wasmctl get wa -l app=w"])
        self.assertIn("one.yaml", got["wasmctl apply -f "])
        self.assertNotIn("two.txt", got["wasmctl apply -f "])
        self.assertIn(folders.split()[0], got["wasmctl apply -f "])
        self.assertEqual(["wa/hello", "wa/help"], got["wasmctl rollout status wa/he"])

    def test_fish(self):
        if not shutil.which("fish"):
            self.skipTest("no fish")
        self.shell_path()
        self.serve()
        script = ('wasmctl completion fish | source; complete -C "wasmctl config us"; complete -C "wasmctl get --context=o"; '
                  'complete -C "wasmctl get wa h"')
        done = subprocess.run(["fish", "--no-config", "-c", script], env=self.env, cwd=self.dir, capture_output=True, text=True,
                              timeout=harness.RUN_TIMEOUT)
        self.assertEqual(["use-context\tMake another context the current one", "--context=other", "hello", "help"],
                         done.stdout.splitlines(), done.stderr)

    def test_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh")
        self.shell_path()
        self.serve()
        self.env["TERM"] = "dumb"
        self.write("manifests/one.yaml", "")
        self.write("manifests/one.txt", "")
        terminal = Terminal(self, ["zsh", "-f", "-i"])
        terminal.send("PS1='REA''DY> '; autoload -U compinit; compinit -u -D; source <(wasmctl completion zsh); echo DO''NE\n")
        terminal.until(r"DONE[\s\S]*READY> ")
        terminal.send("wasmctl config use-\t")
        terminal.until(r"use-context ")
        terminal.send("\x15wasmctl get wa hello --context=o\t")
        terminal.until(r"--context=other ")
        terminal.send("\x15wasmctl apply -f manif\t")
        terminal.until(r"apply -f manifests/")
        terminal.send("one\t")
        terminal.until(r"one\.yaml ")
        terminal.send("\x15exit\n")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, test, argv, preexec=None):
        self.test, self.text = test, ""
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=test.env, cwd=test.dir,
                                        start_new_session=True, preexec_fn=preexec)
        os.close(slave)
        test.addCleanup(self.close)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def send(self, text):
        os.write(self.master, text.encode())

    def read_some(self, end):
        if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
            return False
        try:
            piece = os.read(self.master, 4096)
        except OSError:
            return False
        self.text += piece.decode(errors="replace")
        return bool(piece)

    def until(self, pattern):
        end = time.monotonic() + harness.RUN_TIMEOUT
        while not re.search(pattern, self.text):
            if not self.read_some(end):
                self.test.fail(f"no {pattern!r} in {self.text!r}")
        seen, self.text = self.text, ""
        return seen

    def rest(self):
        end = time.monotonic() + harness.RUN_TIMEOUT
        while self.read_some(end):
            pass
        return self.text


class Config(harness.CliTest):
    ONE = "apiVersion: v1\nkind: Config\n# a comment\ncurrent-context: a\nclusters: []\nunknown: {kept: true}\n" \
          "contexts:\n- {name: a, context: {cluster: c, user: u}}\n"
    TWO = "apiVersion: v1\nkind: Config\ncontexts:\n- {name: a, context: {cluster: other}}\n- {name: b, context: {cluster: d}}\n" \
          "users:\n- {name: u, user: {token: t}}\n"

    def setUp(self):
        super().setUp()
        self.one, self.two = self.write("one", self.ONE), self.write("two", self.TWO)
        self.env["KUBECONFIG"] = f"{self.one}:{self.two}:{self.one}"

    def read(self, path):
        with open(path) as f:
            return f.read()

    def test_what_is_changed_is_written_where_it_is(self):
        self.expect("config set-context b --namespace=shop", out='Context "b" modified.\n')
        self.assertEqual(self.ONE, self.read(self.one))
        self.assertIn("namespace: shop", self.read(self.two))
        two = self.read(self.two)
        self.expect("config set-context a --namespace=m", out='Context "a" modified.\n')
        self.expect("config set-context new --cluster=x", out='Context "new" created.\n')
        self.assertEqual(two, self.read(self.two))
        self.assertEqual("""apiVersion: v1
clusters: []
contexts:
- context:
    cluster: c
    namespace: m
    user: u
  name: a
- context:
    cluster: x
  name: new
current-context: a
kind: Config
unknown:
  kept: true
""", self.read(self.one))
        self.expect("config use-context b", out='Switched to context "b".\n')
        self.assertIn("current-context: b", self.read(self.one))
        self.expect("config get-contexts -o name", out="a\nb\nnew\n")

    def test_without_files_the_last_is_made(self):
        first, last = os.path.join(self.dir, "no", "first"), os.path.join(self.dir, "no", "last")
        self.env["KUBECONFIG"] = f"{first}:{last}"
        self.expect("config set-cluster c --server=https://x", out='Cluster "c" set.\n')
        self.assertFalse(os.path.exists(first))
        self.assertEqual(0o600, stat.S_IMODE(os.stat(last).st_mode))
        del self.env["KUBECONFIG"]
        self.expect("config set-cluster c --server=https://x", out='Cluster "c" set.\n')
        self.assertTrue(os.path.exists(os.path.join(self.dir, ".kube", "config")))

    def test_mode_and_links_stay(self):
        os.chmod(self.one, 0o640)
        link = os.path.join(self.dir, "link")
        os.symlink("one", link)
        self.env["KUBECONFIG"] = link
        self.expect("config unset current-context", out='Property "current-context" unset.\n')
        self.assertTrue(os.path.islink(link))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.one).st_mode))
        self.assertIn('current-context: ""', self.read(self.one))
        self.assertEqual([], [n for n in os.listdir(self.dir) if n.endswith(".lock") or re.match(r"one\..", n)])

    def test_what_is_not_changed_is_not_written(self):
        before = os.stat(self.one)
        self.expect("config use-context a", out='Switched to context "a".\n')
        after = os.stat(self.one)
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))

    def test_broken_files_are_never_written(self):
        for text, message in (("a: [\n", "two:2:1: "), ("- a\n", "is no kubeconfig"), ("kind: Pod\n", "is no kubeconfig"),
                              ("contexts: {a: b}\n", "contexts is no list"), ("contexts: [a]\n", "no entry"),
                              ("a: b\n---\nc: d\n", "one document, not 2")):
            path = self.write("two", text)
            got = self.run_cli("config", "set-context", "a", "--namespace=x")
            self.assertEqual((1, ""), (got.code, got.out), text)
            self.assertIn(message, got.err)
            self.assertEqual((text, self.ONE), (self.read(path), self.read(self.one)))

    def test_a_full_disk_leaves_the_old_file(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
        done = subprocess.run([harness.WASMCTL, "config", "set-context", "a", "--namespace=x"], env=self.env, cwd=self.dir,
                              capture_output=True, text=True, timeout=harness.RUN_TIMEOUT, preexec_fn=small_files)
        self.assertEqual(1, done.returncode)
        self.assertIn("error: write ", done.stderr)
        self.assertEqual(self.ONE, self.read(self.one))
        self.assertEqual([], [n for n in os.listdir(self.dir) if n.endswith(".lock") or re.match(r"one\..", n)])

    def test_lock(self):
        self.write("one.lock", "")
        got = self.run_cli("config", "set-context", "a", "--namespace=x")
        self.assertEqual(1, got.code)
        self.assertIn(f"another program is changing {self.one} (if none is, remove {self.one}.lock)", got.err)
        self.assertEqual(self.ONE, self.read(self.one))
        self.assertTrue(os.path.exists(self.one + ".lock"))
        self.assertFalse(os.path.exists(self.two + ".lock"))

    def test_many_writers_lose_nothing(self):
        started = [self.start_cli("config", "set-context", f"c{i}", "--cluster=x") for i in range(8)]
        for process in started:
            out, err = process.communicate(timeout=harness.RUN_TIMEOUT)
            self.assertEqual((0, ""), (process.returncode, err))
        names = self.run_cli("config", "get-contexts", "-o", "name").out.split()
        self.assertEqual(sorted(["a", "b"] + [f"c{i}" for i in range(8)]), names)

    def test_names_with_dots_and_control_characters(self):
        self.write("one", 'contexts:\n- {name: "x.y", context: {cluster: c, namespace: n}}\n- {name: "e\\e[1m", context: {}}\n')
        self.expect("config unset contexts.x.y.namespace", out='Property "contexts.x.y.namespace" unset.\n')
        self.assertNotIn("namespace", self.read(self.one))
        self.assertNotIn("\033", self.run_cli("config", "get-contexts").out)
        self.assertNotIn("\033", self.run_cli("config", "use-context", "e\033[1m").out)


class Plugins(harness.CliTest):
    def setUp(self):
        super().setUp()
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        self.env["PATH"] = self.bin + ":" + self.env["PATH"]

    def plugin(self, name, text='echo "${0##*/}" "$@"\nexit 7\n', mode=0o755):
        path = self.write(os.path.join("bin", name), "#!/bin/sh\n" + text)
        os.chmod(path, mode)
        return path

    def test_the_longest_name_wins(self):
        self.plugin("wasmctl-foo")
        self.plugin("wasmctl-foo-bar")
        self.plugin("wasmctl-foo_x")
        self.expect("foo", out="wasmctl-foo\n", code=7)
        self.expect("foo bar baz -o yaml --x", out="wasmctl-foo-bar baz -o yaml --x\n", code=7)
        self.expect("foo -a bar", out="wasmctl-foo -a bar\n", code=7)
        self.expect("foo-x", out="wasmctl-foo_x\n", code=7)
        self.expect(["foo", "a b", ""], out="wasmctl-foo a b \n", code=7)

    def test_what_is_no_plugin(self):
        self.plugin("wasmctl-get")
        self.plugin("kubectl-foo")
        self.plugin("wasmctl-bar", mode=0o644)
        os.mkdir(os.path.join(self.bin, "wasmctl-folder"))
        self.assertIn("you must specify the type of resource", self.run_cli("get").err)
        for word in ("foo", "bar", "folder", "../bin/wasmctl-get", ""):
            got = self.run_cli(word)
            self.assertEqual(1, got.code)
            self.assertIn(f'error: unknown command "{word}" for "wasmctl"', got.err)

    def test_signals_are_the_plugins(self):
        self.plugin("wasmctl-foo", "kill -TERM $$\n")
        self.assertEqual(-signal.SIGTERM, self.run_cli("foo").code)

    def test_list(self):
        self.expect("plugin list", code=1, err="error: unable to find any wasmctl plugins in your PATH: they are programs named "
                                               "wasmctl-<word>\n")
        path = self.plugin("wasmctl-foo")
        self.expect("plugin list", out=f"The following plugins are available:\n\n{path}\n")
        self.expect("plugin list --name-only", out="The following plugins are available:\n\nwasmctl-foo\n")
        other = os.path.join(self.dir, "other")
        os.mkdir(other)
        shutil.copy(path, os.path.join(other, "wasmctl-foo"))
        self.env["PATH"] += ":" + other
        self.plugin("wasmctl-get-x")
        self.plugin("wasmctl-off", mode=0o644)
        got = self.run_cli("plugin", "list")
        self.assertEqual((1, "error: 3 plugin warnings were found\n"), (got.code, got.err))
        for line in (f"{other}/wasmctl-foo is overshadowed by a similarly named plugin: {path}",
                     "wasmctl-get-x is never run: the command get of wasmctl comes first",
                     f"{self.bin}/wasmctl-off identified as a wasmctl plugin, but it is not executable"):
            self.assertIn("  - warning: " + line + "\n", got.out)


class Manual(harness.CliTest):
    def commands(self, *words):
        """Paths of all commands that help shows."""
        got = self.run_cli("__completeNoDesc", *words, "")
        for name in got.out.splitlines()[:-1]:
            yield (*words, name)
            if re.search(r"(?m)^Commands:$", self.run_cli(*words, name, "--help").out):
                yield from self.commands(*words, name)

    def test_every_command_and_option_has_its_place(self):
        self.assertEqual(0, self.run_cli("__man", "pages").code)
        pages = set(os.listdir(os.path.join(self.dir, "pages")))
        commands = list(self.commands())
        self.assertGreater(len(commands), 40)
        self.assertEqual({"wasmctl.1"} | {"-".join(("wasmctl", *c)) + ".1" for c in commands}, pages)
        with open(os.path.join(self.dir, "pages", "wasmctl.1")) as f:
            index = f.read()
        for command in commands:
            help_ = self.run_cli(*command, "--help").out
            with open(os.path.join(self.dir, "pages", "-".join(("wasmctl", *command)) + ".1")) as f:
                page = f.read().replace("\\-", "-")
            options = re.findall(r"(?m)^  (?:-\w, |    )(--[\w-]+)", help_)
            for option in options:
                self.assertIn(option, page, command)
            self.assertEqual("Examples:" in help_, ".SH EXAMPLES" in page, command)
            self.assertIn(f".SH SYNOPSIS\n.B wasmctl {' '.join(command)}\n", page)
        for option in re.findall(r"(?m)^  (?:-\w, |    )(--[\w-]+)", self.run_cli("options").out):
            self.assertIn(option.replace("-", "\\-"), index)

    def test_the_pages_are_sound(self):
        self.assertEqual(0, self.run_cli("__man", "pages").code)
        folder = os.path.join(self.dir, "pages")
        pages = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", *pages], capture_output=True, text=True)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
        if shutil.which("mandoc"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
            # There is no date in them, so that every build makes the same pages.
            self.assertEqual([], [line for line in done.stdout.splitlines() if "missing date" not in line])
        if not shutil.which("groff") and not shutil.which("mandoc"):
            self.skipTest("neither groff nor mandoc")

    def test_help_about_commands(self):
        self.assertEqual(self.run_cli("config", "view", "--help").out, self.run_cli("help", "config", "view").out)
        self.assertIn("--kubeconfig FILE", self.run_cli("options").out)


class Suggestions(harness.CliTest):
    def test_words(self):
        for args, hint in (("gte wa", "Did you mean this?\n\tget\n"), ("config veiw", "Did you mean this?\n\tview\n"),
                           ("get --sleector x", "unknown flag: --sleector, did you mean --selector?")):
            got = self.run_cli(*args.split())
            self.assertEqual(1, got.code)
            self.assertIn(hint, got.err)
        self.assertNotIn("did you mean", self.run_cli("get", "--xyzzy").err)

    def test_names(self):
        self.api.on("GET", ACTORS + "/helo", status(404, "NotFound", 'wasmactors.wasmctl.dev "helo" not found', name="helo",
                                                    group="wasmctl.dev", kind="wasmactors"))
        self.api.on("GET", ACTORS, Answer(listing(actor("hello"), actor("other"))))
        error = 'Error from server (NotFound): wasmactors.wasmctl.dev "helo" not found\n'
        self.expect("get wa helo", err=error + 'Did you mean "hello"?\n', code=1)
        self.assertEqual("500", self.requests()[-1].query["limit"])
        self.api.on("GET", ACTORS, status(403, "Forbidden", "no"))
        self.expect("get wa helo", err=error, code=1)
        self.api.on("GET", ACTORS, Answer("rubbish"))
        self.expect("get wa helo", err=error, code=1)
        before = len(self.requests())
        self.expect("get wa helo --ignore-not-found")
        self.assertEqual(before + 1, len(self.requests()))


class Progress(harness.CliTest):
    def setUp(self):
        super().setUp()
        self.env["TERM"] = "xterm"
        o = actor("hello", status_={"conditions": [{"type": "Ready", "status": "False", "reason": "Starting", "message": "soon"}]})
        self.api.on("GET", ACTORS + "/hello", Answer(o))
        self.release = harness.threading.Event()
        self.addCleanup(self.release.set)

        def watch(request):
            if request.query.get("watch") not in ("1", "true"):
                return Answer(listing(o))

            def chunks():
                self.release.wait(harness.RUN_TIMEOUT)
                ready = actor("hello", status_={"conditions": [{"type": "Ready", "status": "True"}]})
                ready["metadata"]["resourceVersion"] = "11"
                yield (harness.json.dumps({"type": "MODIFIED", "object": ready}) + "\n").encode()
            return Answer(chunks=chunks())
        self.api.on("GET", ACTORS, watch)

    def test_one_line_that_is_wiped(self):
        terminal = Terminal(self, [harness.WASMCTL, "wait", "--for=condition=Ready", "wa/hello"])
        drawn = terminal.until(r"waiting for wasmactors/hello: Ready is False: Starting: soon \(\d+s\)")
        self.assertNotIn("\n", drawn)
        self.release.set()
        rest = terminal.rest()
        self.assertTrue(rest.endswith("\r\033[Kwasmactor.wasmctl.dev/hello condition met\r\n"), rest)
        self.assertEqual(0, terminal.process.wait(harness.RUN_TIMEOUT))

    def test_an_interrupt_wipes_it(self):
        terminal = Terminal(self, [harness.WASMCTL, "wait", "--for=condition=Ready", "wa/hello"],
                            preexec=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        terminal.until(r"waiting for wasmactors/hello")
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, terminal.process.wait(harness.RUN_TIMEOUT))
        self.assertTrue(terminal.rest().endswith("\r\033[K"))

    def test_nothing_without_a_terminal_or_on_a_dumb_one(self):
        self.env["TERM"] = "dumb"
        terminal = Terminal(self, [harness.WASMCTL, "wait", "--for=condition=Ready", "wa/hello", "--timeout=1500ms"])
        self.assertEqual("error: timed out waiting for the condition on wasmactors/hello (Ready is False: Starting: soon)\r\n",
                         terminal.rest())
        self.env["TERM"] = "xterm"
        got = self.run_cli("wait", "--for=condition=Ready", "wa/hello", "--timeout=1500ms")
        self.assertEqual(1, got.code)
        self.assertEqual("error: timed out waiting for the condition on wasmactors/hello (Ready is False: Starting: soon)\n", got.err)


if __name__ == "__main__":
    harness.main()
