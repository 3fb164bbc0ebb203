"""Sessions only for requests of our own page: Gradio's cookie is sent, and its answers are shown, to any site."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send


class SameOriginSession:
    """Middleware that hides the session of whoever signed in from requests that another site makes in their name.

    Args:
        app: answers the requests.
        hosts: of our own page, beside the one that a request is sent to: a proxy may have changed that.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = ()) -> None:
        self.app, self.hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; one with the origin of another site has an empty session."""
        if scope.get("session") and not self._is_own(Headers(scope=scope)):
            scope = {**scope, "session": {}}  # a copy: the cookie itself is kept
        await self.app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        """True if a request comes from our own page; navigation and scripts have no origin."""
        origin = headers.get("origin")
        forwarded = headers.get("x-forwarded-host", "").replace(" ", "").split(",")
        hosts = self.hosts | {headers.get("host", ""), *forwarded}
        return origin is None or urlsplit(origin).netloc in hosts - {""}


def signed_in_account(scope: Mapping[str, Any]) -> str:
    """Id of the Hugging Face account that signed in, from the session of a request; empty if none has."""
    info = (scope.get("session") or {}).get("oauth_info") or {}
    if (info.get("expires_at") or float("inf")) < time.time():
        return ""
    return str((info.get("userinfo") or {}).get("sub") or "")
