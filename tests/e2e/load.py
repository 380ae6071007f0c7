#!/usr/bin/env python3
"""An HTTP client that sends requests at a fixed rate, whatever becomes of those before (open loop), each over a connection of its own.

Usage: load.py PORT [--rate N] [--seconds S] [--timeout S] [--path PATH]

Ends after S seconds or at SIGTERM (SIGINT), when every request sent has its outcome, and prints one JSON object:
  sent, ok, seconds, rate    rate: what was really sent a second; below the wanted one the machine could not keep up
  failed {outcome: n}        outcome: "HTTP 503", "refused", "reset", "cut", "timeout" (the client's own)
  p50, p99, longest          seconds of the good ones, from the moment each was due (so a stall of this client counts too)
  texts {first line: n}      what the good ones said
  per_second [{sent, failed, longest}]    by the second in which a request was due
  failures [[due, took, outcome]]         seconds; the first thousand
A line "ready" on standard error says that the first good answer has come.

Load in this module runs it beside a test."""
import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time

FAILURES_MOST = 1000
TEXTS_MOST = 20


class Request(asyncio.Protocol):
    """One request; done gets (outcome, first line of the body)."""

    def __init__(self, text, done):
        self.text, self.done = text, done
        self.answer = bytearray()

    def connection_made(self, transport):
        transport.write(self.text)

    def data_received(self, data):
        self.answer += data

    def connection_lost(self, exc):
        if not self.done.done():
            self.done.set_result(("reset", None) if exc else self.outcome())

    def outcome(self):
        head, gap, body = bytes(self.answer).partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        words = lines[0].split()
        if not gap or len(words) < 2 or not words[1].isdigit():
            return "cut", None
        if words[1] != b"200":
            return f"HTTP {words[1].decode()}", None
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            if not body.endswith(b"0\r\n\r\n"):
                return "cut", None
            body = body.partition(b"\r\n")[2]
        elif len(body) < int(headers.get(b"content-length", b"0")):
            return "cut", None
        return "ok", body.split(b"\n", 1)[0].strip()[:100].decode(errors="replace")


class Client:
    def __init__(self, args):
        self.args = args
        self.text = (f"GET {args.path} HTTP/1.1\r\nHost: 127.0.0.1:{args.port}\r\nConnection: close\r\n\r\n").encode()
        self.sent = self.ok = 0
        self.times, self.failures, self.per_second = [], [], []
        self.failed, self.texts = {}, {}
        self.over = False

    async def ask(self):
        done = asyncio.get_running_loop().create_future()
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: Request(self.text, done), "127.0.0.1",
                                                                          self.args.port)
        try:
            return await done
        finally:
            transport.abort()

    async def one(self, due):
        loop = asyncio.get_running_loop()
        try:
            outcome, text = await asyncio.wait_for(self.ask(), due + self.args.timeout - loop.time())
        except asyncio.TimeoutError:
            outcome, text = "timeout", None
        except ConnectionRefusedError:
            outcome, text = "refused", None
        except OSError as e:
            outcome, text = f"{type(e).__name__}: {e.strerror}", None
        self.note(due, loop.time() - due, outcome, text)

    def note(self, due, took, outcome, text):
        second = self.per_second[int(due - self.began)]
        if outcome == "ok":
            if not self.ok:
                print("ready", file=sys.stderr, flush=True)
            self.ok += 1
            self.times.append(took)
            if text in self.texts or len(self.texts) < TEXTS_MOST:
                self.texts[text] = self.texts.get(text, 0) + 1
        else:
            self.failed[outcome] = self.failed.get(outcome, 0) + 1
            second["failed"] += 1
            if len(self.failures) < FAILURES_MOST:
                self.failures.append([round(due - self.began, 3), round(took, 3), outcome])
        second["longest"] = round(max(second["longest"], took), 4)

    async def run(self):
        loop = asyncio.get_running_loop()
        for s in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(s, lambda: setattr(self, "over", True))
        self.began = loop.time()
        running = set()
        while not self.over and self.sent < self.args.rate * self.args.seconds:
            due = self.began + self.sent / self.args.rate
            wait = due - loop.time()
            if wait > 0:
                # Short, so that a signal ends it soon.
                await asyncio.sleep(min(wait, 0.1))
                continue
            while len(self.per_second) <= int(due - self.began):
                self.per_second.append({"sent": 0, "failed": 0, "longest": 0.0})
            self.per_second[int(due - self.began)]["sent"] += 1
            self.sent += 1
            task = loop.create_task(self.one(due))
            running.add(task)
            task.add_done_callback(running.discard)
            if self.sent % 16 == 0:
                await asyncio.sleep(0)
        seconds = loop.time() - self.began
        while running:
            await asyncio.wait(running)
        return self.result(seconds)

    def result(self, seconds):
        times = sorted(self.times)

        def at(part):
            return round(times[min(len(times) - 1, int(part * len(times)))], 4) if times else None

        return {"sent": self.sent, "ok": self.ok, "seconds": round(seconds, 2), "rate": round(self.sent / max(seconds, 1e-9), 1),
                "failed": self.failed, "p50": at(0.5), "p99": at(0.99), "longest": at(1), "texts": self.texts,
                "per_second": self.per_second, "failures": self.failures}


class Load:
    """load.py beside a test: started on entering, after which the first answer has come. finish() ends it and gives its numbers; leaving
    without that ends it too."""

    def __init__(self, port, rate, timeout=10):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(port), "--rate", str(rate), "--seconds", "3600",
                                         "--timeout", str(timeout)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.began = None

    def __enter__(self):
        try:
            if self.process.stderr.readline().strip() != "ready":
                raise RuntimeError(f"load.py got no answer: {self.process.communicate()[0]}")
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()

    def seconds(self):
        return time.monotonic() - self.began

    def run_until(self, second):
        """Lets it run until so many seconds after the first answer."""
        time.sleep(max(0.0, self.began + second - time.monotonic()))

    def finish(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            raise RuntimeError(f"load.py: status {self.process.returncode}\n{err}")
        return json.loads(out)


def summary(result):
    """One line for people."""
    failed = ", ".join(f"{n} {outcome}" for outcome, n in sorted(result["failed"].items())) or "none"
    return (f"{result['sent']} requests at {result['rate']:.0f}/s for {result['seconds']:.1f} s: {result['sent'] - result['ok']} failed "
            f"({failed}), p50 {(result['p50'] or 0) * 1000:.1f} ms, p99 {(result['p99'] or 0) * 1000:.1f} ms, "
            f"longest {(result['longest'] or 0) * 1000:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("--path", default="/")
    args = parser.parse_args()
    print(json.dumps(asyncio.run(Client(args).run())))


if __name__ == "__main__":
    main()
