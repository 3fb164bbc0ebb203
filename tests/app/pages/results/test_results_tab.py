"""Updates of the Results tab."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from app.pages.results.results_tab import ResultsHandlers, file_name
from app.services.leaderboard_cache import LeaderboardCache
from hypersd.arena.ranking.filters import FilterOptions, VoteFilter
from tests.arena.conftest import pair
from tests.arena.votes.test_quality import vote


@pytest.fixture
def leaderboards() -> LeaderboardCache:
    return LeaderboardCache("emoji")


@pytest.fixture
def handlers(leaderboards: LeaderboardCache) -> ResultsHandlers:
    return ResultsHandlers(cast("Any", SimpleNamespace(leaderboards=leaderboards)))


def test_a_leaderboard_not_computed_yet_gives_a_message_instead_of_a_file(
    handlers: ResultsHandlers, leaderboards: LeaderboardCache
) -> None:
    leaderboards.renew([])
    asked = ("human", "emoji", 4, "")
    with pytest.raises(gr.Error, match="try again in a few seconds") as refusal:
        handlers.save(*asked)
    assert refusal.value.title == "Not yet"
    assert leaderboards.serve(), "a request for the file also requests the leaderboard"
    saved = handlers.save(*asked)
    assert saved["name"] == "results-human-emoji-4-steps.json"
    assert saved["document"]["view"] == {"kind": "human", "family": "emoji", "steps": 4, "prompts": ""}
    assert saved["document"]["votes"] == 0


def test_each_family_has_its_own_section(handlers: ResultsHandlers, leaderboards: LeaderboardCache) -> None:
    votes = [
        vote(
            number,
            pair=pair(f"{family}/a@1", f"{family}/b@1", id=f"{family}-{number}"),
            voter=f"{family}-{number}",
            battle=f"{family}-{number}",
            id=f"{family}-{number}",
        )
        for family, count in (("emoji", 40), ("sdxl", 35))
        for number in range(count)
    ]
    leaderboards.renew(votes)
    chosen = ("human", "", 0, "emoji-v1")
    while True:
        (value, _) = handlers.refresh("", *chosen)
        if not leaderboards.serve():
            break
    parts = re.findall(r'<section class="hs-report".*?</section>', value, flags=re.DOTALL)
    assert len(parts) == 2
    assert "emoji/a@1</th>" not in parts[1]
    assert "sdxl/a@1 <small>preliminary</small></th>" in parts[1]
    assert "Not yet comparable" in parts[0]
    assert all('<tr class="hs-provisional">' in part for part in parts), "fewer than 300 votes are shown grey"


def test_a_file_is_named_after_its_filter() -> None:
    assert file_name(VoteFilter(kind="simulated")) == "results-simulated.json"
    assert file_name(VoteFilter(steps=1, prompts="mine/../of 1")) == "results-human-1-step-mine-..-of-1.json"


def test_choices_are_offered_once(handlers: ResultsHandlers) -> None:
    known, families, *_ = handlers.offered(None)
    assert known == FilterOptions()
    assert families.choices == [("All", "")]
    assert handlers.offered(known) == [gr.skip()] * 4
