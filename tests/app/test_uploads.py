"""Limits of uploads and large requests, over real HTTP."""

from __future__ import annotations

import http.client
import os
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gradio as gr
import pytest

from app.services.uploads import LARGEST_BODY

BOUNDARY = "boundary"
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
PIECE = b"x" * 65_536


def form(size: int) -> Iterator[bytes]:
    """An upload of a file of `size` bytes, in pieces."""
    yield HEAD
    for start in range(0, size, len(PIECE)):
        yield PIECE[: size - start]
    yield TAIL


def post(demo: gr.Blocks, path: str, body: Iterator[bytes], length: int | None, kind: str) -> int:
    """Send a body in pieces, chunked if its length is not given; return the status."""
    address = urllib.parse.urlsplit(demo.local_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"content-type": kind}
    if length is None:
        headers["transfer-encoding"] = "chunked"
    else:
        headers["content-length"] = str(length)
    with suppress(BrokenPipeError, ConnectionResetError):  # the server has answered and hung up before all was sent
        connection.request("POST", path, body, headers, encode_chunked=length is None)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def kept() -> int:
    """The bytes in Gradio's folder of uploads."""
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [10, 100_000, 60_000_000])
def test_files_are_rejected_and_not_stored(demo: gr.Blocks, size: int, *, chunked: bool) -> None:
    before = kept()
    length = None if chunked else len(HEAD) + size + len(TAIL)
    status = post(demo, "/gradio_api/upload", form(size), length, f"multipart/form-data; boundary={BOUNDARY}")
    assert status == 413
    assert kept() == before


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/component_server", "/arena/progress"])
def test_no_large_request_is_read(demo: gr.Blocks, path: str, *, chunked: bool) -> None:
    size = LARGEST_BODY + 1
    pieces = (PIECE[: size - start] for start in range(0, size, len(PIECE)))
    assert post(demo, path, pieces, None if chunked else size, "application/json") == 413


def test_the_page_s_own_requests_pass_in_one_piece_or_many(demo: gr.Blocks) -> None:
    for length in (2, None):
        assert post(demo, "/arena/progress", iter([b"{", b"}"]), length, "application/json") == 422, "no token"
