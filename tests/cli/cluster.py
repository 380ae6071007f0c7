"""A real etcd and kube-apiserver for tests of the command line; the programs come from the cache of parts."""
import glob
import os
import signal
import socket
import subprocess
import sys
import time

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wasmctl")
START_TIMEOUT = 90


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
    """etcd and kube-apiserver in a folder of their own. audit: every request is written to self.audit_log when it is complete."""

    def __init__(self, folder, audit=False):
        self.dir, self.children = folder, []
        client, peer, self.port = free_ports(3)
        self.etcd = etcd = f"http://127.0.0.1:{client}"
        self.openssl("genrsa", "-out", "sa.key", "2048")
        self.openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.crt", "-days", "2",
                     "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        self.write("tokens", 'secret-token,admin,1,"system:masters"\n')
        os.mkdir(os.path.join(folder, "etcd"), 0o700)
        self.start(part("etcd"), "--name", "t", "--data-dir", "etcd", "--listen-client-urls", etcd, "--advertise-client-urls",
                   etcd, "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls",
                   f"http://127.0.0.1:{peer}", "--initial-cluster", f"t=http://127.0.0.1:{peer}", "--unsafe-no-fsync")
        self.audit_log = os.path.join(folder, "audit.log")
        audited = []
        if audit:
            policy = self.write("audit.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\n"
                                              "rules: [{level: Metadata}]\n")
            audited = [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-mode=blocking"]
        url = f"https://127.0.0.1:{self.port}"
        self.start(part("kube-apiserver"), f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", "--endpoint-reconciler-type=none",
                   f"--secure-port={self.port}", "--tls-cert-file=server.crt", "--tls-private-key-file=server.key",
                   "--token-auth-file=tokens", "--authorization-mode=RBAC", f"--service-account-issuer={url}",
                   "--service-account-key-file=sa.pub", "--service-account-signing-key-file=sa.key",
                   "--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount",
                   "--anonymous-auth=false", *audited)
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
        log = open(os.path.join(self.dir, os.path.basename(command[0]) + ".log"), "a")
        self.children.append(subprocess.Popen(command, cwd=self.dir, stdout=log, stderr=log, start_new_session=True))

    def kill_server(self):
        """Ends the API server without a chance to say good-bye."""
        server = self.children.pop()
        server.kill()
        server.wait()
        return server.args

    def start_server(self, command):
        self.start(*command)

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
