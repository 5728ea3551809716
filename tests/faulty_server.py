"""A real HTTP server on the loopback that fails as it is told to."""

import contextlib
import http.server
import os
import threading
from dataclasses import dataclass, field

from styler.storage.models import install
from styler.storage.models.known import WEIGHTS


@dataclass
class Faults:
    """What the server does to its next requests, in order; then it serves well."""

    body: bytes
    plan: list[str] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"one"'
    length: bool = True
    seen: list[str | None] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        faults = self.server.faults
        faults.seen.append(self.headers.get("Range"))
        faults.asked.set()
        fault = faults.plan.pop(0) if faults.plan else "well"
        if fault.isdecimal():
            return self.send_error(int(fault))
        if fault.startswith("http"):
            self.send_response(302)
            self.send_header("Location", fault)
            return self.end_headers()
        offset = int(faults.seen[-1][6:-1]) if faults.seen[-1] and faults.ranges else 0
        if offset >= len(faults.body):
            return self.send_error(416)
        self.send_response(206 if offset else 200)
        self.send_header("ETag", faults.etag)
        if faults.length:
            self.send_header("Content-Length", str(len(faults.body) - offset))
        if offset:
            self.send_header("Content-Range", f"bytes {offset}-{len(faults.body) - 1}/{len(faults.body)}")
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may go away, that is its right
            self.send_body(faults, fault, faults.body[offset:])
        return None

    def send_body(self, faults, fault, body):
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        if fault == "hold":  # until the test says so
            faults.release.wait(30)
        elif fault == "stall":
            faults.release.wait(1)
        while fault == "endless" and not faults.release.is_set():
            self.wfile.write(bytes(1 << 16))
        if fault not in ("cut", "stall"):
            self.wfile.write(body[len(body) // 2 :])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(body):
    """Serve `body` under every path; the server's `faults` say how badly."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.faults = Faults(body)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.faults.release.set()
            server.shutdown()
            thread.join()


def fetch_alone(record, home):
    """Fetch VGG-19 in a process of its own; here, for such a process cannot import a test."""
    os.environ.update(STYLER_HOME=home, no_proxy="*")
    WEIGHTS["vgg19"] = record
    for _ in install.fetch("vgg19", timeout=30, pause=0.01):
        pass
