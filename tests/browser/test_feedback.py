"""A visitor sees what became of the votes; the owner starts a round and cancels it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, expect

from app.build import launch_options
from app.pages.feedback.feedback_tab import build_feedback
from app.pages.feedback.job_panel import JobDefaults
from app.services.loop_runner import LoopRunner, Owner
from hypersd.feedback.loop.round_stages import STAGES
from tests.browser.accessibility import expect_no_barriers
from tests.loops import enter, write_round

PATIENCE_MS = 60_000
WORK = "import time; print('round 3: <reward>', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[str]:
    """The tab alone, over two rounds that are done and one that was begun, and work that takes for ever."""
    folder = tmp_path_factory.mktemp("feedback")
    adapter = root / "assets" / "emoji-xl" / "adapters" / "hyper.safetensors"
    for number, stages in ((1, len(STAGES)), (2, len(STAGES)), (3, 1)):
        write_round(folder / "loop", number, stages=stages)
        enter(folder / "contestants", number, adapter)
    runner = LoopRunner(folder / "loop", lambda _: [sys.executable, "-c", WORK], grace=1.0)
    with gr.Blocks(title="Feedback", analytics_enabled=False) as demo:
        gr.HTML("<h1>Feedback</h1>")
        contestants = folder / "contestants"
        build_feedback(demo, runner, Owner("sesame"), arena=None, contestants=contestants, jobs=JobDefaults())
    demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    yield demo.local_url
    demo.close()
    if runner.pid():
        runner.cancel()


def test_the_tab_is_part_of_the_page(watched: Any) -> None:
    page = watched.page
    page.goto(f"{watched.url}?tab=feedback")
    expect(page.locator("#hs-round-report")).to_contain_text("No round has been started yet")
    page.get_by_text("For the owner of this page").click()
    expect(page.get_by_text("HYPERSD_OWNER_TOKEN")).to_be_visible()
    expect(page.locator("#hs-start")).to_have_count(0)


def test_a_phone_in_light_and_dark_and_no_barrier(browser: Browser, tab: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(tab)
    expect(page.locator("#hs-round-report h2")).to_have_text("Round 2: hyper-a1b2c2-r2")
    expect(page.locator("#hs-pair img").first).to_be_visible()
    expect(page.locator("#hs-lineage")).to_contain_text("hyper-a1b2c1-r1")
    page.get_by_text("For the owner of this page").click()
    expect(page.locator("#hs-start")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect_no_barriers(page, "main")
    page.locator("#hs-round input").click()
    page.get_by_role("option", name="Round 1").click()
    expect(page.locator("#hs-round-report h2")).to_have_text("Round 1: hyper-a1b2c1-r1")
    page.close()


def test_the_owner_starts_a_round_sees_it_and_cancels_it(browser: Browser, tab: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(tab)
    page.get_by_text("For the owner of this page").click()
    page.get_by_role("button", name="Start a round").click()
    expect(page.locator("#hs-owner-message")).to_contain_text("Only the owner")
    page.get_by_label("The owner's token").fill("sesame")
    page.get_by_role("button", name="Start a round").click()
    expect(page.locator("#hs-loop-state")).to_contain_text("Round 3 is running: stage 2 of 8, reward")
    expect(page.locator("#hs-log")).to_contain_text("round 3: <reward>", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#hs-owner-message")).to_contain_text("Finished stages are kept")
    expect(page.locator("#hs-loop-state")).to_contain_text("not being run from this page")
    page.close()
