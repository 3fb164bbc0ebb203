"""Limit on the size of requests. Uploads are rejected and not stored: the Control tab's picture comes in its event."""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.services.page_metrics import PageMetrics

LARGEST_BODY: Final = 4 * 2**20
"""Largest request body in bytes. The page's own requests have some thousands, with a full canvas up to 1.5 million."""

_UPLOADS = "/gradio_api/upload"
_BODILESS = {"GET", "HEAD", "OPTIONS"}
_NO_FILES = "this page takes no files; nothing was kept"
_TOO_LARGE = f"the request is larger than {LARGEST_BODY // 2**20} MB; nothing was kept"


class BodyLimit:
    """ASGI middleware that rejects uploads unread, and other bodies as soon as they exceed the limit (413).

    A body is read completely before the app gets it, so no part of a rejected one reaches a file.
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

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)


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
