"""`GET /metrics` over HTTP."""

from __future__ import annotations

import gradio as gr
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.api.metrics_routes import metrics_routes
from app.services.page_metrics import PageMetrics

TOKEN = "sesame-open"  # noqa: S105 - of nobody


def get(peer: str, owner_token: str = TOKEN, **headers: str) -> httpx.Response:
    metrics = PageMetrics()
    metrics.count_vote("left")
    app = Starlette(routes=metrics_routes(metrics.registry, owner_token))
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return TestClient(app, client=(peer, 5)).get("/metrics", headers=names)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "172.18.0.5", "10.1.2.3"])
def test_this_machine_and_its_private_network_may_read_them(peer: str) -> None:
    answer = get(peer)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = [
        sample for metric in text_string_to_metric_families(answer.text) for sample in metric.samples if sample.value
    ]
    assert ("hypersd_votes_total", {"choice": "left"}, 1.0) in [sample[:3] for sample in samples]


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("8.8.8.8", {}),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}),
        ("172.18.0.5", {"x_real_ip": "8.8.8.8"}),
        ("172.18.0.5", {"forwarded": "for=8.8.8.8"}),
        ("testclient", {}),
        ("8.8.8.8", {"authorization": "Bearer guess"}),
        ("8.8.8.8", {"authorization": f"Basic {TOKEN}"}),
        ("8.8.8.8", {"authorization": "Bearer"}),
    ],
)
def test_visitors_may_not(peer: str, headers: dict[str, str]) -> None:
    answer = get(peer, **headers)
    assert answer.status_code == 403
    assert "hypersd_votes" not in answer.text


def test_the_owner_may_from_anywhere() -> None:
    assert get("8.8.8.8", authorization=f"Bearer {TOKEN}").status_code == 200


def test_without_an_owner_no_empty_token_opens_them() -> None:
    assert get("8.8.8.8", "", authorization="Bearer ").status_code == 403


def test_openmetrics_is_served_to_those_who_ask() -> None:
    answer = get("127.0.0.1", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_served_page_has_the_route(demo: gr.Blocks) -> None:
    text = httpx.get(f"{demo.local_url}metrics", timeout=60).text
    names = {metric.name for metric in text_string_to_metric_families(text)}
    assert {"hypersd_votes", "hypersd_draw_seconds", "hypersd_queue_waiting", "hypersd_prepared_pairs"} <= names
