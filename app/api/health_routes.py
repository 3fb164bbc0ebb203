"""`GET /health`: the state of the page, as JSON for load balancers or as a page for people."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from app.services.health import HealthMonitor, HealthReport
from app.templating import render

_FRESH_SECONDS = 1.0
"""Age up to which a report is used again: everybody may ask, and each report costs a query."""

_HEADERS = {
    "cache-control": "no-store",
    "vary": "accept",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


@dataclass
class ReportCache:
    """The monitor's latest report. Requests that come meanwhile wait for the same report, on no thread."""

    monitor: HealthMonitor
    _report: HealthReport | None = None
    _measured: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self) -> HealthReport:
        """A report that is at most a second old."""
        async with self._lock:
            if self._report is None or time.monotonic() - self._measured > _FRESH_SECONDS:
                self._report = await run_in_threadpool(self.monitor.report)
                self._measured = time.monotonic()
            return self._report


def health_routes(monitor: HealthMonitor) -> list[Route]:
    """The route `/health`.

    200; 503: the vote store cannot be reached. JSON, unless the request accepts `text/html`, as browsers do.
    """
    cache = ReportCache(monitor)

    async def health(request: Request) -> Response:
        report = await cache.get()
        status = 503 if report.status == "unavailable" else 200
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(render("health", report=report), status, _HEADERS)
        return JSONResponse(asdict(report), status, _HEADERS)

    return [Route("/health", health, methods=["GET"])]
