"""`GET /metrics`: counts of the page for a Prometheus server."""

from __future__ import annotations

import hmac
import ipaddress

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_PRIVATE = (
    "The metrics are for this machine and its private network, because they name the models that were drawn last. "
    "From elsewhere send the owner's token as Authorization: Bearer TOKEN.\n"
)


def metrics_routes(registry: CollectorRegistry, owner_token: str) -> list[Route]:
    """The route `/metrics`, in the format that the request accepts.

    200; 403: the request comes through a proxy, or from a public address, and has no owner's token: whoever sees which
    models draw could vote knowing them.

    Args:
        registry: the page's metrics.
        owner_token: of the page's owner; empty if there is none.
    """

    async def metrics(request: Request) -> Response:
        if not (_is_near(request) or _is_owner(request, owner_token)):
            return PlainTextResponse(_PRIVATE, 403)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        text = await run_in_threadpool(encode, registry)
        return Response(text, headers={"content-type": content_type, "cache-control": "no-store"})

    return [Route("/metrics", metrics, methods=["GET"])]


def _is_near(request: Request) -> bool:
    """True if the request comes directly from this machine or a private network, not through a proxy."""
    if {"x-forwarded-for", "forwarded", "x-real-ip"} & set(request.headers) or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_private
    except ValueError:
        return False


def _is_owner(request: Request, owner_token: str) -> bool:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    # In bytes: compare_digest accepts only ASCII strings.
    same = hmac.compare_digest(token.strip().encode(), owner_token.encode())
    return bool(owner_token) and kind.lower() == "bearer" and same
