"""What the tests of the command line share: a small API server whose answers are scripted, and a way to run wasmctl against it.

Every test starts its own server on a free port, with its own kubeconfig in its own folder. Nothing sleeps; a command that hangs is
ended by RUN_TIMEOUT and fails its test.
"""
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

WASMCTL = os.environ.get("WASMCTL", "wasmctl")
RUN_TIMEOUT = 20
API = "/apis/wasmctl.dev/v1alpha1"
ACTORS = API + "/namespaces/default/wasmactors"


class Request:
    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.query = {key: values[-1] for key, values in urllib.parse.parse_qs(query).items()}

    def json(self):
        return json.loads(self.body)


class Answer:
    """body: object (sent as JSON), text or bytes. chunks: an iterable of bytes sent one by one, the connection then closes."""

    def __init__(self, body=None, status=200, headers=None, chunks=None, content_type="application/json"):
        self.body, self.status, self.headers, self.chunks = body, status, headers or {}, chunks
        self.content_type = content_type


def status(code, reason, message, **details):
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}
    if details:
        body["details"] = details
    return Answer(body, code)


def not_found(kind, name):
    return status(404, "NotFound", f'{kind} "{name}" not found', name=name, kind=kind)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, urllib.parse.unquote(path), query, self.headers, self.rfile.read(length))
        answer = self.server.api.handle(request)
        if answer.chunks is not None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            try:
                for chunk in answer.chunks:
                    self.wfile.write(chunk)
                    self.wfile.flush()
            except OSError:
                pass
            return
        body = answer.body
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # what does not fit is asked again by the client after seconds only

    def handle_error(self, request, client_address):
        pass  # a client that went away


class FakeApi:
    """routes: (method, path) -> Answer, or a function of the Request that gives one."""

    def __init__(self):
        self.routes, self.requests, self.lock = {}, [], threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.api = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def on(self, method, path, answer):
        self.routes[(method, path)] = answer

    def handle(self, request):
        with self.lock:
            self.requests.append(request)
        answer = self.routes.get((request.method, request.path))
        if answer is None:
            return Answer("404 page not found\n", 404, content_type="text/plain")
        return answer(request) if callable(answer) else answer

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class CliTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.api = FakeApi()
        self.addCleanup(self.api.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.env = {
            "PATH": os.environ.get("PATH", ""), "HOME": self.dir, "TZ": "UTC", "LC_ALL": "C.UTF-8",
            "KUBECONFIG": self.write("kubeconfig", self.kubeconfig(f"http://127.0.0.1:{self.api.port}")),
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    @staticmethod
    def kubeconfig(server):
        return (f"apiVersion: v1\nkind: Config\ncurrent-context: test\n"
                f"clusters:\n- name: c\n  cluster: {{server: \"{server}\"}}\n"
                f"users:\n- name: u\n  user: {{}}\n"
                f"contexts:\n- name: test\n  context: {{cluster: c, user: u}}\n"
                f"- name: other\n  context: {{cluster: c, user: u, namespace: elsewhere}}\n"
                f"- name: broken\n  context: {{cluster: nowhere, user: u}}\n")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def run_cli(self, *args, stdin=None, program=None, cwd=None):
        done = subprocess.run([program or WASMCTL, *args], input=stdin, capture_output=True, text=True, env=self.env,
                              timeout=RUN_TIMEOUT, cwd=cwd or self.dir)
        return Result(done.returncode, done.stdout, done.stderr)

    def expect(self, args, out="", err="", code=0, **more):
        """args: one text, split at blanks, or a list. Compares everything the command shows."""
        got = self.run_cli(*(args.split() if isinstance(args, str) else args), **more)
        self.assertEqual((out, err, code), (got.out, got.err, got.code), f"wasmctl {args}")
        return got

    def start_cli(self, *args):
        # A test run in the background inherits that SIGINT is ignored; a command in a terminal does not.
        process = subprocess.Popen([WASMCTL, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env,
                                   cwd=self.dir, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        guard = threading.Timer(RUN_TIMEOUT, process.kill)
        guard.start()

        def stop():
            guard.cancel()
            process.kill()
            process.communicate()
        self.addCleanup(stop)
        return process

    def requests(self, method=None):
        return [r for r in self.api.requests if method in (None, r.method)]


def meta(name, namespace="default", **more):
    return {"name": name, "namespace": namespace, "uid": "uid-" + name, "resourceVersion": "5",
            "creationTimestamp": "2026-01-02T03:04:05Z", **more}


def actor(name, namespace="default", spec=None, status_=None, **more):
    o = {"apiVersion": "wasmctl.dev/v1alpha1", "kind": "WasmActor", "metadata": meta(name, namespace, **more),
         "spec": spec or {"image": "ghcr.io/example/hello:1"}}
    if status_ is not None:
        o["status"] = status_
    return o


COLUMNS = [
    {"name": "Name", "type": "string", "format": "name", "priority": 0},
    {"name": "Ready", "type": "string", "format": "", "priority": 0},
    {"name": "Image", "type": "string", "format": "", "priority": 1},
    {"name": "Age", "type": "date", "format": "", "priority": 0},
]


def row(o, *cells):
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": o["metadata"]}
    return {"cells": [o["metadata"]["name"], *cells], "object": partial}


def table(*rows, columns=True, version="10", continued=None):
    metadata = {"resourceVersion": version}
    if continued:
        metadata["continue"] = continued
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": COLUMNS if columns else None, "rows": list(rows)}


def listing(*items, kind="WasmActorList", version="10"):
    return {"kind": kind, "apiVersion": "wasmctl.dev/v1alpha1", "metadata": {"resourceVersion": version}, "items": list(items)}


def main():
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
