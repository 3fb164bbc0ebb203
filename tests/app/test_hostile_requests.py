"""Requests that want other files, other addresses or the operator's pages from the server, over real HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.services.uploads import refers_to_files
from tests.http_server import served

Ask = Callable[..., tuple[int, bytes]]
SECRET = b"a secret of the network behind the page"


@pytest.fixture
def ask(demo: gr.Blocks) -> Ask:
    """A request of the page: its method, path exactly as sent, and JSON; the status and the body."""
    address = urllib.parse.urlsplit(demo.local_url)

    def send(method: str, path: str, body: object = None, raw: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        data = raw if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"content-type": "application/json"} if data else {})
        answer = connection.getresponse()
        try:
            return answer.status, answer.read(100_000)
        finally:
            connection.close()

    return send


@pytest.fixture(scope="module")
def inside() -> Iterator[tuple[str, list[str]]]:
    """A server that only the page's machine can reach: its address, and the requests that it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET)

        do_HEAD = do_POST = do_GET  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler) as url:
        yield url, asked


def test_files_of_the_server_are_not_served(ask: Ask, emoji_folder: Path, root: Path) -> None:
    data = emoji_folder.parent / "data"
    databases = [*data.glob("*.db"), *data.glob("*.sqlite*")]
    assert databases
    for wanted in (
        *("/etc/passwd", "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd"),
        *("file:///etc/passwd", "//127.0.0.1/share/file", "%5C%5C127.0.0.1%5Cshare%5Cfile", "C:%5CWindows%5Cwin.ini"),
        *map(str, (*databases, data, root / "app.py", emoji_folder / "model_index.json")),
        *("app.py", ".git/config", "/proc/self/environ"),
    ):
        assert ask("GET", f"/gradio_api/file={wanted}")[0] in {403, 404}, wanted
        assert ask("GET", f"/gradio_api/file/{wanted}")[0] in {403, 404}, wanted


@pytest.mark.parametrize(
    "path",
    [
        *("/static/%2e%2e/%2e%2e/app.py", "/assets/..%2f..%2fapp.py", "/svelte/../../app.py", "/.env", "/app.py"),
        *("/gradio_api/custom_component/x/client/component/..%2f..%2fapp.py", "/data/votes.db"),
        *("/arena/receipt/..%2f..%2fapp.py", "/arena/../../app.py"),
    ],
)
def test_no_path_leads_out_of_the_page(ask: Ask, path: str) -> None:
    assert ask("GET", path)[0] in {403, 404, 405}


def test_the_page_is_no_proxy(ask: Ask, inside: tuple[str, list[str]]) -> None:
    url, asked = inside
    for wanted in (f"{url}/admin", "http://169.254.169.254/latest/meta-data/", "https://example.hf.space/x"):
        for name in ("proxy", "file"):
            for spelt in (wanted, urllib.parse.quote(wanted, safe="")):
                status, answer = ask("GET", f"/gradio_api/{name}={spelt}")
                assert status in {400, 403, 404}, wanted
                assert SECRET not in answer
    assert not asked


def reference(path: str) -> dict[str, Any]:
    """A file as Gradio's clients name it."""
    return {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("route", ["run/predict", "api/predict", "queue/join", "call/compare", "call/v2/compare"])
def test_no_event_opens_a_file_or_an_address(
    ask: Ask, demo: gr.Blocks, inside: tuple[str, list[str]], route: str
) -> None:
    url, asked = inside
    (number,) = (number for number, event in demo.fns.items() if event.api_name == "compare")
    for path in (f"{url}/cat.png", "http://169.254.169.254/cat.png", "/etc/passwd"):
        for prompt in (reference(path), [reference(path)], {"cat": {"cat": reference(path)}}):
            sent = {"data": [prompt, 7, "emoji", ["hyper"], [1]], "fn_index": number, "session_hash": "a"}
            assert ask("POST", f"/gradio_api/{route}", sent)[0] == 413
    assert not asked


def test_a_reference_to_a_file_is_seen_however_it_is_spelt() -> None:
    plain = json.dumps({"data": [[reference("/etc/passwd")]]}).encode()
    assert refers_to_files(plain)
    assert refers_to_files(plain.replace(b"_type", b"\\u005ftype"))
    assert refers_to_files(plain.replace(b"gradio.", b"gradio\\u002e"))
    assert not refers_to_files(json.dumps({"data": ["gradio.FileData", {"_type": "state"}, "_type"]}).encode())
    for noise in (b"", b"_type", b"[" * 100_000 + b"_type", b"\xff\\_type"):
        assert not refers_to_files(noise)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/gradio_api/vibe-code"),
        ("POST", "/gradio_api/vibe-edit"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/run-history/records"),
        ("GET", "/gradio_api/profiling/traces"),
        ("POST", "/gradio_api/component_server"),
    ],
)
def test_the_framework_s_operator_pages_are_off(demo: gr.Blocks, ask: Ask, method: str, path: str) -> None:
    component = next(iter(demo.blocks))
    words = {"prompt": "a", "component_id": component, "fn_name": "a", "data": [], "session_hash": "a"}
    assert ask(method, path, None if method == "GET" else words)[0] in {403, 404, 405, 422}
