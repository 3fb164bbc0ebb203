"""Limits of requests: their size, and files, which come neither as uploads nor by reference.

The Control tab's picture comes in its event. Gradio would fetch the address of a file from the server, for any event.
"""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.services.page_metrics import PageMetrics

LARGEST_BODY: Final = 4 * 2**20
"""Largest request body in bytes. The page's own requests have some thousands, with a full canvas up to 1.5 million."""

_UPLOADS = "/gradio_api/upload"
_EVENTS = "/gradio_api/"
_FILE = "gradio.FileData"
_BODILESS = {"GET", "HEAD", "OPTIONS"}
_NO_FILES = "this page takes no files; nothing was kept"
_TOO_LARGE = f"the request is larger than {LARGEST_BODY // 2**20} MB; nothing was kept"


class BodyLimit:
    """ASGI middleware that rejects uploads unread, bodies as soon as they exceed the limit, and references to files.

    All are answered with 413. A body is read completely before the app gets it, so no part of a rejected one reaches a
    file, and no address in it is fetched.
    """

    def __init__(self, app: ASGIApp, metrics: PageMetrics) -> None:
        """`metrics` counts the rejected requests."""
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] in _BODILESS:
            await self.app(scope, receive, send)
            return
        if scope["path"].rstrip("/").endswith(_UPLOADS):
            self.metrics.count_refusal("upload")
            await _refuse(_NO_FILES, scope, receive, send)
            return
        messages = [] if _declared(scope) > LARGEST_BODY else await _read(receive)
        if not messages:
            self.metrics.count_refusal("too large")
            await _refuse(_TOO_LARGE, scope, receive, send)
            return
        body = b"".join(message.get("body", b"") for message in messages)
        if _EVENTS in scope["path"] and refers_to_files(body):
            self.metrics.count_refusal("upload")
            await _refuse(_NO_FILES, scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)


def refers_to_files(body: bytes) -> bool:
    """True for JSON in which an object is a file of Gradio's: a path on the server, or an address to fetch."""
    if b"_type" not in body and b"\\" not in body:
        return False  # a key may also be written in escapes
    try:
        pending: list[Any] = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # Gradio cannot read it either
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("_type") == _FILE:  # pyright: ignore[reportUnknownMemberType]
                return True
            pending.extend(value.values())  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list):
            pending.extend(value)  # pyright: ignore[reportUnknownArgumentType]
    return False


def _declared(scope: Scope) -> int:
    """Return the declared length of the request's body; 0 if it has none."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def _read(receive: Receive) -> list[Message]:
    """Return the messages of a whole body; none if it is larger than the limit."""
    messages: list[Message] = []
    size = 0
    while not messages or messages[-1].get("more_body", False):
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            return []
    return messages


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without reading the rest, and close the connection, on which the rest would follow."""
    response = JSONResponse({"error": reason, "detail": reason}, 413, {"connection": "close"})
    await response(scope, receive, send)
