"""The part of the Hub's HTTP interface by which one repository is read and written, on this machine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

import pytest
from huggingface_hub import HfFileSystem, constants

from tests.http_server import served

_COMMIT = "1" * 40


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP: JSON, or a file's bytes."""

    document: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def data(self) -> bytes:
        """Its body."""
        return self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()


@dataclass
class RepoHub:
    """Its address, the one repository on it, and how it behaves.

    Args:
        kind: of the repository.
        name: OWNER/NAME.
        files: of the repository, by path.
        created: what it was created with; None before that.
        variables: of a Space.
        refusal: status with which it answers a commit or a Job; 0 is none.
        limits: seconds of `Retry-After` with which it answers the next commits or Jobs, one each, with status 429.
        faults: number of the next requests that it answers with status 500.
        flowing: while it is not set, it is silent on commits and Jobs.
        commits: number of commits that it was asked for.
        jobs: requests for Jobs that it took, each with its path.
    """

    address: str
    kind: Literal["space", "dataset"]
    name: str
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    created: dict[str, Any] | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    refusal: int = 0
    limits: list[int] = field(default_factory=list[int])
    faults: int = 0
    flowing: threading.Event = field(default_factory=threading.Event)
    commits: int = 0
    jobs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def api(self) -> str:
        """Path of the repository in the interface."""
        return f"/api/{self.kind}s/{self.name}"

    def commit(self, lines: list[dict[str, Any]]) -> None:
        """Do what the lines of a commit say."""
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]

    def tree(self, folder: str) -> list[dict[str, Any]]:
        """Files and folders below a folder."""
        inside = [path for path in self.files if path.startswith(folder)]
        folders = {path.rpartition("/")[0] for path in inside} - {"", folder.rstrip("/")}
        return [
            *({"type": "directory", "path": path, "oid": "0"} for path in sorted(folders)),
            *({"type": "file", "path": path, "size": len(self.files[path]), "oid": "0"} for path in inside),
        ]

    def post(self, path: str, body: bytes) -> Answer:
        """Answer a POST request."""
        if fault := self._fault():
            return fault
        if path == "/api/repos/create":
            self.created = json.loads(body)
            return Answer({"url": f"{self.address}/{self.kind}s/{self.name}"})
        if path == f"{self.api}/variables":
            return self._variable(json.loads(body))
        if path == "/api/validate-yaml":
            return Answer({"errors": [], "warnings": []})
        if path.startswith(f"{self.api}/preupload/main"):
            files = json.loads(body)["files"]
            return Answer({"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in files]})
        return self._job(path, json.loads(body)) if path.startswith("/api/jobs/") else self._committed(path, body)

    def _variable(self, given: dict[str, str]) -> Answer:
        self.variables[given["key"]] = given["value"]
        return Answer({key: {"value": value} for key, value in self.variables.items()})

    def _job(self, path: str, request: dict[str, Any]) -> Answer:
        if refused := self._refused():
            return refused
        self.jobs.append({"path": path, **request})
        owner = {"id": "1", "name": path.rpartition("/")[2], "type": "user"}
        return Answer({"id": "687f", "owner": owner, "status": {"stage": "SCHEDULING"}})

    def _refused(self) -> Answer | None:
        self.flowing.wait(timeout=60)
        if self.limits:
            return Answer({"error": "too many"}, 429, {"Retry-After": str(self.limits.pop(0))})
        return Answer({"error": "no room"}, self.refusal) if self.refusal else None

    def _committed(self, path: str, body: bytes) -> Answer:
        assert path.startswith(f"{self.api}/commit/main"), path
        self.commits += 1
        if refused := self._refused():
            return refused
        self.commit([json.loads(line) for line in body.splitlines()])
        url = f"{self.address}/{self.kind}s/{self.name}/commit/{_COMMIT}"
        return Answer({"commitUrl": url, "commitOid": _COMMIT})

    def get(self, path: str, wanted: str) -> Answer:
        """Answer a GET request for a path, and bytes `wanted` of it."""
        if fault := self._fault():
            return fault
        if path.startswith(start := f"/{self.kind}s/{self.name}/resolve/main/"):
            return self._file(path.removeprefix(start), wanted)
        assert path.startswith(self.api), path
        if "/tree/main" in path:
            folder = path.partition("/tree/main")[2].strip("/")
            entries = self.tree(f"{folder}/" if folder else "")
            return Answer(entries) if entries or not folder else _MISSING
        return Answer({"id": self.name, "sha": "0" * 40, "siblings": [{"rfilename": path} for path in self.files]})

    def _file(self, path: str, wanted: str) -> Answer:
        if path not in self.files:
            return _MISSING
        data = self.files[path]
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = data[int(first or 0) : int(last or len(data) - 1) + 1]
        return Answer(part, 206 if wanted else 200, {"ETag": '"0"'})

    def _fault(self) -> Answer | None:
        self.faults -= (faulty := self.faults > 0)
        return Answer({"error": "out of order"}, 500) if faulty else None


_MISSING = Answer({"error": "not found"}, 404, {"X-Error-Code": "EntryNotFound"})


@contextmanager
def serve(kind: Literal["space", "dataset"] = "space", name: str = "me/hyper") -> Generator[RepoHub]:
    """A Hub while this context is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Authorization"] == "Bearer hf_test"
            self._send(hub.post(self.path, self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self._send(hub.get(self.path.partition("?")[0], self.headers.get("Range", "")))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for key, value in {"X-Repo-Commit": _COMMIT, **answer.headers}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has given up
                self.wfile.write(answer.data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with served(Handler) as address:
        hub = RepoHub(address, kind, name)
        hub.flowing.set()
        yield hub


def use(hub: RepoHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Hub's client of this process ask this Hub, until the test ends."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    files = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    HfFileSystem.clear_instance_cache()
