"""The same command lines by wasmctl and by kubectl against one real API server: standard output, the kind of message on standard
error and the exit code must be the same, but for the differences that are listed here with their reason.

Each program works in a namespace of its own (names of the same length, compared as NS). Skipped (exit 77) when etcd,
kube-apiserver or kubectl were not built into the cache.
"""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wasmctl")
START_TIMEOUT = 90
RUN_TIMEOUT = 60
SKIP = 77

CM = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  labels: {{app: {name}, tier: web}}
data:
  key: {value}
"""
FILES = {
    "a.yaml": CM.format(name="a", value="one"),
    "a2.yaml": CM.format(name="a", value="two"),
    "ab.yaml": CM.format(name="a", value="one") + "---\n" + CM.format(name="b", value="three"),
    "dir/1.yaml": CM.format(name="d1", value="x"),
    "dir/2.yml": CM.format(name="d2", value="y"),
    "dir/sub/3.json": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d3"}}',
    "list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: l1}}\n"
                 "- {apiVersion: v1, kind: ConfigMap, metadata: {name: l2}}\n",
    "actor.yaml": "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: hello}\n"
                  "spec: {image: \"ghcr.io/example/hello:1\"}\n",
    "bad.yaml": "a: [\n",
    "nokind.yaml": "apiVersion: v1\nmetadata: {name: x}\n",
    "unknown.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: u}\nnope: 1\n",
    "foreign.yaml": "apiVersion: nope.example.com/v1\nkind: Nope\nmetadata: {name: x}\n",
}

# (command line, options of this file). {ns} is the program's namespace. Only what differs by design carries a reason: then the exit
# code alone is compared ("code"), the output too but not the message ("out"), or nothing ("differs"). "norm": versions, times and
# uids are not compared.
LINES = [
    ("apply --server-side -n {ns} -f a.yaml",),
    ("apply --server-side -n {ns} -f a.yaml",),
    ("apply --server-side -n {ns} -f a.yaml -o name",),
    ("apply --server-side -n {ns} -f a2.yaml --dry-run=server",),
    ("apply --server-side -n {ns} -f ab.yaml",),
    ("apply --server-side -n {ns} -f dir",),
    ("apply --server-side -n {ns} -R -f dir",),
    ("apply --server-side -n {ns} -f list.yaml",),
    ("apply --server-side -n {ns} -f actor.yaml",),
    ("apply --server-side -n {ns} -f nope.yaml",),
    ("apply --server-side -n {ns} -f bad.yaml",),
    ("apply --server-side -n {ns} -f nokind.yaml",),
    ("apply --server-side -n {ns} -f unknown.yaml",),
    ("apply --server-side -n {ns} -f foreign.yaml",),
    ("apply --server-side -n {ns}",),
    ("apply --server-side -n {ns} -f a.yaml --validate=ignore",),
    ("apply --server-side -n {ns} -f a2.yaml --field-manager=other",),
    ("apply --server-side -n {ns} -f a2.yaml --field-manager=other --force-conflicts",),
    ("get cm -n {ns}",),
    ("get configmap -n {ns}",),
    ("get configmaps -n {ns} -o name",),
    ("get cm a -n {ns}",),
    ("get cm a b -n {ns}",),
    ("get cm/a cm/b -n {ns}",),
    ("get cm a nope b -n {ns}",),
    ("get cm nope -n {ns}",),
    ("get cm nope -n {ns} --ignore-not-found",),
    ("get cm nope -n {ns} -o yaml --ignore-not-found",),
    ("get cm nope -n {ns} -o json",),
    ("get cm -n {ns} --no-headers",),
    ("get cm -n {ns} -l tier=web",),
    ("get cm -n {ns} -l tier!=web",),
    ("get cm -n {ns} -l",),
    ("get cm -n {ns} -l app=a,tier=web --show-labels",),
    ("get cm -n {ns} -l 'app in (a,b)' -L app,tier,none",),
    ("get cm -n {ns} -l nothing=here",),
    ("get cm -n {ns} --field-selector metadata.name=a",),
    ("get cm -n {ns} --field-selector spec.nope=a",),
    ("get cm -n {ns} --show-kind",),
    ("get cm -n {ns} --chunk-size=1",),
    ("get cm -n {ns} --chunk-size=0",),
    ("get cm,secret -n {ns}",),
    ("get cm,nope -n {ns}",),
    ("get cm,wasmactors -n {ns}",),
    ("get secret -n {ns}",),
    ("get nope -n {ns}",),
    ("get ns default",),
    ("get namespaces -o name",),
    ("get ns default -o json", "norm"),
    ("get ns default kube-system -o yaml", "norm"),
    ("get cm a -n {ns} -o yaml", "norm"),
    ("get cm a -n {ns} -o json", "norm"),
    ("get cm -n {ns} -o json", "norm"),
    ("get cm -n {ns} -o yaml -l app=a", "norm"),
    ("get cm -n {ns} -o yaml -l nothing=here",),
    ("get cm -n {ns} -o wide",),
    ("get cm -n {ns} -o nope",),
    ("get cm a -n {ns} -l x=y",),
    ("get cm a -A",),
    ("get cm a/b/c -n {ns}",),
    ("get cm cm/a -n {ns}",),
    ("get cm/ -n {ns}",),
    ("get",),
    ("get cm -n {ns} --nope",),
    ("get cm -n {ns} -z",),
    ("get cm -n",),
    ("get cm -n {ns} --chunk-size=x",),
    ("get cm -n {ns} --no-headers=maybe",),
    ("get --raw /healthz",),
    ("get --raw /nope",),
    ("get -f a.yaml -n {ns}",),
    ("get -f nope.yaml -n {ns}",),
    ("get wasmactors -n {ns}",),
    ("get wa -n {ns}",),
    ("get wa hello -n {ns} -o wide",),
    ("get wa hello -n {ns} -o name",),
    ("get wa hello -n {ns} -o yaml", "norm"),
    ("get wasmactors.wasmctl.dev -n {ns}",),
    ("get wasmactors.v1alpha1.wasmctl.dev -n {ns}",),
    ("get lattices",),
    ("get latticehosts",),
    ("get crd -o name",),
    ("get crd wasmactors.wasmctl.dev -o name",),
    ("get serviceaccounts -n {ns}",),
    ("get sa,cm a -n {ns}",),
    ("get deployments -n {ns}",),
    ("get deploy.apps -n {ns}",),
    ("get clusterroles -l nothing=here",),
    ("get cm -n nosuchnamespace",),
    ("get cm --context nope",),
    ("get cm --cluster nope",),
    ("get cm --kubeconfig nope",),
    ("get cm --server https://127.0.0.1:1",),
    ("get cm --token wrong -n {ns}",),
    ("get ns --as nobody",),
    ("get cm -n {ns} --as nobody --as-group system:masters --no-headers",),
    ("create -n {ns} -f a.yaml",),
    ("create -n {ns} -f nope.yaml",),
    ("create -n {ns} -f dir/1.yaml --dry-run=server",),
    ("create -n {ns} -f unknown.yaml", "code", "kubectl validates before it sends, wasmctl lets the server do it"),
    ("wait -n {ns} --for=jsonpath={.data.key}=two cm/a",),
    ("wait -n {ns} --for=jsonpath={.data.key} cm/a",),
    ("wait -n {ns} --for=jsonpath={.data.key}=never cm/a --timeout=0s",),
    ("wait -n {ns} --for=jsonpath={.data.key}=never cm/a --timeout=200ms",),
    ("wait -n {ns} --for=condition=Ready cm/nope --timeout=1s",),
    ("wait -n {ns} --for=delete cm/nope --timeout=1s",),
    ("wait -n {ns} --for=create cm/a --timeout=1s",),
    ("wait -n {ns} --for=condition=Ready cm -l nothing=here --timeout=1s",),
    ("wait -n {ns} --for=nonsense cm/a",),
    ("wait -n {ns} cm/a",),
    ("wait --for=jsonpath={.status.phase}=Active ns/default",),
    ("wait --for=condition=Established crd/wasmactors.wasmctl.dev",),
    ("wait --for=condition=Established crd --all",),
    ("describe cm a -n {ns}", "code", "wasmctl describes ConfigMaps as any object"),
    ("describe cm nope -n {ns}",),
    ("describe secret -n {ns}",),
    ("describe nope -n {ns}",),
    ("events -n {ns}",),
    ("events -n {ns} --for cm",),
    ("scale --replicas=2 wa/hello -n {ns}",),
    ("scale --replicas=3 --current-replicas=2 wa hello -n {ns}",),
    ("scale --replicas=3 --current-replicas=9 wa hello -n {ns}",),
    ("scale wa/hello -n {ns}",),
    ("scale --replicas=2 cm/a -n {ns}",),
    ("get wa hello -n {ns}",),
    ("delete cm l1 -n {ns} --dry-run=client",),
    ("delete cm l1 -n {ns} --dry-run=server",),
    ("delete cm l1 l2 -n {ns}",),
    ("delete cm l1 -n {ns}",),
    ("delete cm l1 -n {ns} --ignore-not-found",),
    ("delete cm/d1 cm/d2 -n {ns} -o name",),
    ("delete -f dir -n {ns}",),
    ("delete -f dir/sub/3.json -n {ns} --wait=false",),
    ("delete cm -n {ns}",),
    ("delete",),
    ("delete cm -l app=b -n {ns}",),
    ("delete cm -l app=b -n {ns}",),
    ("delete cm --all -l app=b -n {ns}",),
    ("delete cm a -l app=b -n {ns}",),
    ("delete cm a -n {ns} --now --grace-period=4",),
    ("delete cm a -n {ns} --cascade=nope",),
    ("delete cm a -n {ns} --now",),
    ("delete wa hello -n {ns}",),
    ("delete wa --all -n {ns}",),
    ("delete nope x -n {ns}",),
    ("get cm -n {ns} -o name",),
    ("version --client -o nope",),
    ("nope",),
    ("--nope",),
    ("help nope", "differs", "an unknown topic is an error here; kubectl prints its help and exits 0"),
]


def part(name):
    found = sorted(glob.glob(os.path.join(CACHE, f"{name}-*", "bin", name)))
    return found[-1] if found else None


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Cluster:
    """etcd and kube-apiserver in a folder of their own."""

    def __init__(self, folder):
        self.dir, self.children = folder, []
        client, peer, self.port = free_ports(3)
        etcd = f"http://127.0.0.1:{client}"
        self.openssl("genrsa", "-out", "sa.key", "2048")
        self.openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.crt", "-days", "2",
                     "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        self.write("tokens", 'secret-token,admin,1,"system:masters"\n')
        os.mkdir(os.path.join(folder, "etcd"), 0o700)
        self.start(part("etcd"), "--name", "t", "--data-dir", "etcd", "--listen-client-urls", etcd, "--advertise-client-urls",
                   etcd, "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls",
                   f"http://127.0.0.1:{peer}", "--initial-cluster", f"t=http://127.0.0.1:{peer}", "--unsafe-no-fsync")
        url = f"https://127.0.0.1:{self.port}"
        self.start(part("kube-apiserver"), f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", "--endpoint-reconciler-type=none",
                   f"--secure-port={self.port}", "--tls-cert-file=server.crt", "--tls-private-key-file=server.key",
                   "--token-auth-file=tokens", "--authorization-mode=RBAC", f"--service-account-issuer={url}",
                   "--service-account-key-file=sa.pub", "--service-account-signing-key-file=sa.key",
                   "--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount",
                   "--anonymous-auth=false")
        self.kubeconfig = self.write("kubeconfig", f"""apiVersion: v1
kind: Config
current-context: t
clusters: [{{name: c, cluster: {{server: "{url}", certificate-authority: "{folder}/server.crt"}}}}]
users: [{{name: u, user: {{token: secret-token}}}}]
contexts: [{{name: t, context: {{cluster: c, user: u}}}}]
""")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

    def start(self, *command):
        log = open(os.path.join(self.dir, os.path.basename(command[0]) + ".log"), "w")
        self.children.append(subprocess.Popen(command, cwd=self.dir, stdout=log, stderr=log, start_new_session=True))

    def wait_ready(self):
        """Asks until the server answers; each question waits for the port by itself, a refused one is asked again."""
        end = time.monotonic() + START_TIMEOUT
        request = ["--kubeconfig", self.kubeconfig, "get", "--raw", "/readyz", "--request-timeout=5s"]
        while time.monotonic() < end:
            if any(child.poll() is not None for child in self.children):
                break
            done = subprocess.run([part("kubectl"), *request], capture_output=True, text=True)
            if done.returncode == 0:
                return
        for name in os.listdir(self.dir):
            if name.endswith(".log"):
                with open(os.path.join(self.dir, name)) as log:
                    print(name, *log.readlines()[-5:], sep="\n", file=sys.stderr)
        raise SystemExit("the API server did not become ready")

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Program:
    def __init__(self, path, namespace, cluster, files):
        self.path, self.namespace, self.files = path, namespace, files
        self.env = {"PATH": os.environ.get("PATH", ""), "HOME": cluster.dir, "KUBECONFIG": cluster.kubeconfig, "TZ": "UTC",
                    "LC_ALL": "C.UTF-8"}

    def run(self, line):
        """line: words, single quotes keep blanks."""
        words = [a or b for a, b in re.findall(r"'([^']*)'|(\S+)", line.replace("{ns}", self.namespace))]
        done = subprocess.run([self.path, *words], cwd=self.files, env=self.env, capture_output=True, text=True,
                              timeout=RUN_TIMEOUT)
        return done.returncode, self.neutral(done.stdout), self.neutral(done.stderr)

    @staticmethod
    def neutral(text):
        return re.sub("space-(ours|them)", "NS", text)


def normal(text, thorough):
    text = re.sub(r"(?m)(?<=\s)(\d+[smhd])+( +|$)", "AGE ", text)
    if thorough:
        text = re.sub(r'(resourceVersion|uid|creationTimestamp)"?: "?[^",\n]*"?', r"\1: X", text)
    return text


def message_class(text):
    """The kind of a message: what scripts look at."""
    for shape in (r"Error from server \(\w+\)", r"Error from server:", r"error: unknown (shorthand )?flag", r"error: unknown command",
                  r"No resources found", r"The connection to the server \S+ was refused", r"error: You must be logged in",
                  r"error: Apply failed with \d+ conflict", r"error: timed out waiting for the condition", r"error: condition not met",
                  r"The \w+ \"[^\"]*\" is invalid", r"[Ww]arning:"):
        match = re.search(shape, text)
        if match:
            return match.group(0).replace("wasmctl", "kubectl")
    if re.search(r"Apply failed with \d+ conflict", text):
        return re.search(r"Apply failed with \d+ conflict", text).group(0)
    return "other" if text.strip() else ""


def compare(line, options, ours, theirs):
    problems = []
    if "differs" in options:
        return problems
    if ours[0] != theirs[0]:
        problems.append(f"exit code {ours[0]}, kubectl's {theirs[0]}")
    if "code" in options:
        return problems
    thorough = "norm" in options
    a, b = normal(ours[1], thorough), normal(theirs[1], thorough)
    if a != b:
        problems.append(f"stdout:\n{a}\nkubectl's:\n{b}")
    if "out" not in options:
        a, b = message_class(ours[2]).replace("error: ", ""), message_class(theirs[2]).replace("error: ", "")
        if a != b:
            problems.append(f"message:\n{ours[2]}\nkubectl's:\n{theirs[2]}")
    return problems


def main():
    missing = [name for name in ("etcd", "kube-apiserver", "kubectl") if not part(name)]
    if missing or not shutil.which("openssl"):
        print(f"skipped: {', '.join(missing) or 'openssl'} missing")
        return SKIP
    verbose = "-v" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        files = os.path.join(folder, "files")
        for name, text in FILES.items():
            path = os.path.join(files, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        os.mkdir(os.path.join(folder, "cluster"))
        cluster = Cluster(os.path.join(folder, "cluster"))
        try:
            cluster.wait_ready()
            ours = Program(os.path.abspath(WASMCTL), "space-ours", cluster, files)
            theirs = Program(part("kubectl"), "space-them", cluster, files)
            code, out, err = ours.run("install --crds")
            if code:
                print(out, err)
                return 1
            for program in (ours, theirs):
                theirs.run(f"create namespace {program.namespace}")
            failed = 0
            for line, *options in LINES:
                left, right = ours.run(line), theirs.run(line)
                problems = compare(line, options, left, right)
                failed += bool(problems)
                if problems or verbose:
                    print(("DIFFERENT: " if problems else "same: ") + line)
                for problem in problems:
                    print("  " + problem.replace("\n", "\n    "))
            print(f"{len(LINES)} command lines, {failed} different")
            return 1 if failed else 0
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
