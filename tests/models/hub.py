"""A Hub on this machine: it serves a folder's files over HTTP as the real one does."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.http_server import served

_COMMIT = "c" * 40


@dataclass
class Hub:
    """Hub of a test: its address, its behaviour, and the requests that it got.

    Args:
        refusals: status and the Hub's name for the error, by repositories that it does not give.
        begun: the byte that each download began with.
        breaks: how many downloads break off in their middle; each one counts down.
        flowing: while it is not set, a download stands still in its middle.
        asked: set once a download has begun.
    """

    address: str
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    begun: list[int] = field(default_factory=list[int])
    breaks: int = 0
    flowing: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(folder: Path) -> Iterator[Hub]:
    """Serve `folder/OWNER/NAME/FILE` while this context is open; what is not there, it is out of order for."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._head()

        def do_GET(self) -> None:
            data, start = self._head()
            if not data:
                return
            hub.begun.append(start)
            hub.asked.set()
            middle = max(start, len(data) // 2)
            self.wfile.write(data[start:middle])
            hub.flowing.wait(timeout=30)
            if hub.breaks:
                hub.breaks -= 1
                self.close_connection = True
                return
            self.wfile.write(data[middle:])

        def _head(self) -> tuple[bytes, int]:
            owner, name, *rest = self.path.removeprefix("/").split("/", 4)
            if (refusal := hub.refusals.get(f"{owner}/{name}")) is not None:
                self.send_response(refusal[0])
                self.send_header("X-Error-Code", refusal[1])
                self.end_headers()
                return b"", 0
            file = folder / owner / name / rest[-1]
            if len(rest) < 3 or not file.is_file():
                self.send_response(507)  # one at which the Hub's client does not wait, to ask again
                self.end_headers()
                return b"", 0
            data = file.read_bytes()
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", _COMMIT)
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            return data, start

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with served(Handler) as address:
        hub = Hub(address)
        hub.flowing.set()
        yield hub
