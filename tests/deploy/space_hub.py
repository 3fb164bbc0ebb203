"""The part of the Hub's HTTP interface by which Spaces are made, on this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import served


@dataclass
class SpaceHub:
    """Its address, the one Space on it, and how it behaves.

    Args:
        files: of the Space, by path.
        created: what it was created with; None before that.
        refusal: status with which it answers a commit; 0 is none.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    created: dict[str, Any] | None = None
    refusal: int = 0

    def commit(self, lines: list[dict[str, Any]]) -> None:
        """Do what the lines of a commit say."""
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]


@contextmanager
def serve() -> Generator[SpaceHub]:
    """A Hub while this context is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Authorization"] == "Bearer hf_test"
            if self.path == "/api/repos/create":
                hub.created = json.loads(body)
                return self._answer({"url": f"{hub.address}/spaces/me/hyper"})
            if self.path == "/api/validate-yaml":
                return self._answer({"errors": [], "warnings": []})
            if self.path == "/api/spaces/me/hyper/preupload/main":
                files = [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]]
                return self._answer({"files": files})
            assert self.path.startswith("/api/spaces/me/hyper/commit/main")
            if hub.refusal:
                return self._answer({"error": "no room"}, hub.refusal)
            hub.commit([json.loads(line) for line in body.splitlines()])
            return self._answer(
                {"commitUrl": f"{hub.address}/spaces/me/hyper/commit/{'1' * 40}", "commitOid": "1" * 40}
            )

        def do_GET(self) -> None:
            assert self.path.startswith(("/api/spaces/me/hyper/tree/main", "/api/spaces/me/hyper"))
            if "/tree/" in self.path:
                return self._answer(
                    [{"type": "file", "path": path, "size": len(data), "oid": "0"} for path, data in hub.files.items()]
                )
            return self._answer({"id": "me/hyper", "sha": "0" * 40, "siblings": [{"rfilename": p} for p in hub.files]})

        def _answer(self, document: Any, status: int = 200) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with served(Handler) as address:
        hub = SpaceHub(address)
        yield hub
