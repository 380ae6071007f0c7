"""An API server with Pods whose logs are numbered lines, for tests of `tail`: every line says who wrote it, its number and its time.

Lines are made by the clock: line k of a container is written at its start + k * period, and is there `delay` seconds later. Nothing is
kept but the rules, so any stream can be opened anywhere (follow, sinceTime, tailLines, timestamps, previous), and faults can
do what they like to streams: cut them in the middle of a line, end them cleanly, hold them, refuse everything for a while.
"""
import http.server
import json
import random
import threading
import time
import urllib.parse

SECOND = 1_000_000_000


def stamp(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // SECOND)) + f".{ns % SECOND:09d}Z"


def parse_stamp(text):
    return int(time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone) * SECOND


class Instance:
    """One run of a container: `count` lines, the first `past` seconds before now; it ends after them if `ends`."""

    def __init__(self, name, count, rate, past=0.0, ends=False, rotated=None):
        self.name, self.count, self.period, self.ends = name, count, int(SECOND / rate), ends
        self.start = time.time_ns() - int(past * SECOND) + random.randrange(self.period)
        self.rotated = rotated or []  # (from, to): numbers of lines that are gone

    def ns(self, k):
        return self.start + k * self.period

    def line(self, k):
        return f"{stamp(self.ns(k))} {self.name} {k} {self.ns(k)} {'x' * (k % 50)}\n".encode()

    def first_since(self, ns):
        return max(0, -(-(ns - self.start) // self.period)) if ns else 0

    def written(self, now):
        """How many lines there are now."""
        return min(self.count, max(0, (now - self.start) // self.period + 1))

    def gone(self, k):
        return any(a <= k < b for a, b in self.rotated)


class Pod:
    def __init__(self, name, *instances, labels=None):
        self.name, self.instances, self.labels = name, list(instances), labels or {}

    def object(self):
        last = self.instances[-1]
        ended = last.ends and last.written(time.time_ns()) >= last.count
        state = {"terminated": {"exitCode": 0}} if ended else {"running": {}}
        return {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": self.name, "namespace": "default", "uid": self.name, "labels": self.labels, "resourceVersion": "1"},
                "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
                "status": {"phase": "Succeeded" if ended else "Running", "containerStatuses": [
                    {"name": "c", "containerID": f"run://{self.name}-{len(self.instances)}", "state": state,
                     "restartCount": len(self.instances) - 1}]}}


class LogServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, pods, delay=0.0, port=0):
        self.pods = {p.name: p for p in pods}
        self.delay = delay
        self.events, self.changed = [], threading.Condition()
        self.down = threading.Event()   # every request and stream is cut
        self.refused = threading.Event()  # ... and one was
        self.ended = threading.Event()
        self.cut_after = None           # () -> bytes until a stream is cut, None: never
        self.clean_end_after = None     # seconds until a stream ends cleanly
        self.status = None              # (code, text) for every request
        self.requests = []
        self.ahead = 0                  # seconds its clock is ahead
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def change(self, pod, kind="MODIFIED"):
        """Tells the watches; a Pod that is new is added before."""
        with self.changed:
            self.events.append((kind, pod.object()))
            if kind == "DELETED":
                self.pods.pop(pod.name, None)
            else:
                self.pods[pod.name] = pod
            self.changed.notify_all()

    def close(self):
        self.ended.set()
        with self.changed:
            self.changed.notify_all()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a client that went away


class Cut(Exception):
    pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(timestamp or time.time() + self.server.ahead)

    def do_GET(self):
        server = self.server
        if server.down.is_set():
            server.refused.set()
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(query).items()}
        server.requests.append((path, query))
        try:
            if server.status:
                self.answer(server.status[0], {"kind": "Status", "message": server.status[1], "code": server.status[0]})
            elif path.endswith("/log"):
                self.log(path.split("/")[-2], query)
            elif query.get("watch"):
                self.watch()
            else:
                self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": str(len(server.events))},
                                  "items": [p.object() for p in list(server.pods.values())]})
        except (Cut, OSError):
            self.close_connection = True

    def answer(self, code, body):
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def begin(self):
        self.left = self.server.cut_after() if self.server.cut_after else None
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send(self, data):
        """A chunk; cuts the connection when its time has come."""
        if self.server.down.is_set() or self.server.ended.is_set():
            raise Cut
        if self.left is not None and len(data) > self.left:
            data, cut = data[:self.left], True
        else:
            cut = False
        if self.left is not None:
            self.left -= len(data)
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if cut:
            raise Cut

    def finish_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def watch(self):
        server, seen = self.server, 0
        self.begin()
        self.left = None
        with server.changed:
            seen = len(server.events) if not server.events else 0
        while not server.down.is_set() and not server.ended.is_set():
            with server.changed:
                server.changed.wait_for(lambda: len(server.events) > seen or server.down.is_set() or server.ended.is_set(), 0.2)
                new, seen = server.events[seen:], len(server.events)
            for kind, obj in new:
                self.send(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        raise Cut

    def log(self, name, query):
        server, pod = self.server, self.server.pods.get(name)
        if not pod or (query.get("previous") and len(pod.instances) < 2):
            self.answer(404, {"kind": "Status", "message": f'pods "{name}" not found', "reason": "NotFound", "code": 404})
            return
        run = pod.instances[-2] if query.get("previous") else pod.instances[-1]
        follow = query.get("follow") == "true"
        opened = time.monotonic()
        k = run.first_since(parse_stamp(query["sinceTime"])) if "sinceTime" in query else 0
        if "tailLines" in query:
            k = max(k, run.written(time.time_ns() - int(server.delay * SECOND)) - int(query["tailLines"]))
        self.begin()
        while True:
            due = run.written(time.time_ns() - int(server.delay * SECOND))
            data = b"".join(run.line(i) for i in range(k, min(due, k + 500)) if not run.gone(i))
            k = min(due, k + 500)
            if data:
                self.send(data)
                continue
            if k < due:
                continue
            over = (run.ends and k >= run.count) or run is not pod.instances[-1]
            if not follow or over:
                break
            if server.clean_end_after and time.monotonic() - opened > server.clean_end_after:
                break
            # The pace of the lines, not a wait for something to happen.
            server.ended.wait(min(0.02, run.period / SECOND))
            self.send(b"")
        self.finish_stream()
