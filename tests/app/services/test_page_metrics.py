"""Counts of a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.api.routes import routes
from app.services.arena import Arena
from app.services.page_metrics import MeasuredGenerator, PageMetrics
from app.services.uploads import LARGEST_BODY, BodyLimit
from hypersd.arena.service.image_generator import GeneratedImage, GenerationError
from hypersd.arena.service.rate_limit import RateLimiter, RateLimits
from hypersd.arena.votes.battle import Contestant
from tests.arena.conftest import pair

ANN = {"x-voter": "a" * 32}


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def test_two_pages_count_apart() -> None:
    first, second = PageMetrics(), PageMetrics()
    first.count_vote("left")
    assert value(first.registry, "hypersd_votes_total", choice="left") == 1
    assert value(second.registry, "hypersd_votes_total", choice="left") == 0


@dataclass(frozen=True)
class PlainGenerator:
    """Draws everything at once, except turbo."""

    device: str = "cpu"
    software: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        for contestant in contestants:
            if contestant.model == "turbo":
                raise GenerationError(contestant, "it cannot")
        return [GeneratedImage(Image.new("RGB", (8, 8)), 0.3, 4, "1") for _ in contestants]


def test_pictures_are_counted_with_their_seconds_by_model() -> None:
    metrics = PageMetrics()
    generator = MeasuredGenerator(PlainGenerator(), metrics)
    hyper, base, turbo = (Contestant("emoji", model, 4) for model in ("hyper", "base", "turbo"))
    generator("a cat", 7, (hyper, base))
    generator("a cat", 7, (hyper,))
    with pytest.raises(GenerationError):
        generator("a cat", 7, (turbo, hyper))
    assert value(metrics.registry, "hypersd_draw_seconds_count", family="emoji", model="hyper") == 2
    assert value(metrics.registry, "hypersd_draw_seconds_sum", family="emoji", model="hyper") == pytest.approx(0.6)
    assert value(metrics.registry, "hypersd_draw_seconds_count", family="emoji", model="base") == 1
    assert value(metrics.registry, "hypersd_draw_seconds_bucket", family="emoji", model="base", le="0.25") == 0
    assert value(metrics.registry, "hypersd_failed_draws_total", family="emoji", model="turbo") == 1
    assert (generator.device, generator.software) == ("cpu", {})


@pytest.fixture
def client(arena: Arena) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes(arena)), client=("203.0.113.9", 5)) as opened:
        yield opened


def refused(arena: Arena, reason: str) -> float:
    return value(arena.metrics.registry, "hypersd_refused_requests_total", reason=reason)


def test_votes_and_refusals_are_counted(arena: Arena, client: TestClient) -> None:
    pictures = [arena.pictures.put(Image.new("RGB", (8, 8), colour)) for colour in ("red", "blue")]
    plain = pair()
    left, right = (replace(side, picture=name) for side, name in zip(plain.entries, pictures, strict=True))
    arena.store.pairs.add(replace(plain, entries=(left, right)))
    battle = client.post("/arena/draw", json={}, headers=ANN).json()["battle"]
    client.post("/arena/show", json={"battle": battle}, headers=ANN)
    words = {"battle": battle, "choice": "left", "decision_ms": 900, "input": "key"}
    statuses = [client.post("/arena/vote", json=words, headers=ANN).status_code for _ in range(2)]
    assert statuses == [200, 409]
    assert value(arena.metrics.registry, "hypersd_votes_total", choice="left") == 1
    assert refused(arena, "duplicate vote") == 1
    assert client.post("/arena/vote", content=b"[", headers=ANN).status_code == 422
    assert refused(arena, "invalid") == 1


def test_rate_limits_and_an_unavailable_store_are_counted(arena: Arena, client: TestClient, tmp_path: Path) -> None:
    arena.rate_limiter = RateLimiter(RateLimits(requests_a_minute=1))
    arena.store.engine.dispose()
    shutil.rmtree(tmp_path)
    statuses = [client.post("/arena/progress", json={}, headers=ANN).status_code for _ in range(2)]
    assert statuses == [503, 429]
    assert client.get("/arena/receipt/none").status_code == 429
    assert (refused(arena, "unavailable"), refused(arena, "rate limit")) == (1, 2)


async def echo(request: Request) -> JSONResponse:
    return JSONResponse(len(await request.body()))


def test_uploads_and_large_bodies_are_counted() -> None:
    metrics = PageMetrics()
    app = Starlette(
        routes=[Route("/{path:path}", echo, methods=["POST"])], middleware=[Middleware(BodyLimit, metrics=metrics)]
    )
    client = TestClient(app)
    assert client.post("/gradio_api/upload", content=b"x").status_code == 413
    assert client.post("/arena/vote", content=b"x" * (LARGEST_BODY + 1)).status_code == 413
    assert client.post("/arena/vote", content=b"x").json() == 1
    for reason in ("upload", "too large"):
        assert value(metrics.registry, "hypersd_refused_requests_total", reason=reason) == 1
