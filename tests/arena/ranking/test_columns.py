"""Votes in columns: cleaned, filtered and counted like votes one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypersd.arena.ranking.columns import VoteColumns
from hypersd.arena.ranking.counts import PairCounts
from hypersd.arena.ranking.filters import VoteFilter
from hypersd.arena.ranking.leaderboard import WEIGHT_CAP, pairwise_votes, rank_cleaned_votes, tally_of
from hypersd.arena.ranking.screening import COUNTS, REASONS, coincidences, repeated_alike, screen
from hypersd.arena.votes.agreement import krippendorff
from hypersd.arena.votes.battle import CHOICES, Client, Vote
from hypersd.arena.votes.quality import QualityRules, clean, ratings, self_agreement
from tests.arena.conftest import entry, pair
from tests.arena.votes.test_quality import vote

STRICT = QualityRules(burst_votes=3, burst_seconds=25, least_votes=4, least_gold=2, one_sided_share=0.8)
LABELS = ("emoji/hyper@4", "emoji/base@25", "sdxl/turbo@1", "emoji/old@?")


@st.composite
def some_votes(draw: st.DrawFn) -> list[Vote]:
    """Votes of few voters on few pairs, with every reason for dropping."""
    votes: list[Vote] = []
    for number in range(draw(st.integers(0, 30))):
        first, second = draw(st.permutations(LABELS))[:2]
        same = draw(st.integers(0, 9)) == 0
        pictures = ("same", "same") if same else (f"{first}-picture", f"{second}-picture")
        which = draw(st.integers(0, 5))
        purpose = draw(st.sampled_from(["open", "open", "open", "gold", "repeat"]))
        what = pair(
            id=f"pair-{which}",
            entries=(entry(first, pictures[0]), entry(second, pictures[1])),
            owner=draw(st.sampled_from([None, None, None, "ann"])),
            study=draw(st.sampled_from([None, None, "s"])),
            prompt_set=draw(st.sampled_from(["emoji-v1", "other"])),
            prompt=draw(st.sampled_from(["a cat", "a dog"])),
            gold=draw(st.sampled_from([0, 1])) if purpose == "gold" else None,
        )
        changes: dict[str, Any] = {
            "pair": what,
            "battle": f"battle-{number:02}",
            "voter": draw(st.sampled_from(["ann", "ben", "cyd"])),
            "purpose": purpose,
            "repeat_of": f"battle-{draw(st.integers(0, number)):02}" if purpose == "repeat" and number else None,
            "swapped": draw(st.booleans()),
            "choice": draw(st.sampled_from(CHOICES)),
            "client": Client(decision_ms=draw(st.sampled_from([None, 100, 500, 2000]))),
            "gates": draw(st.sampled_from([{}, {}, {"captcha": "failed"}, {"captcha": "unavailable"}])),
        }
        cast_vote = vote(number, id=f"{number:032}", **changes)
        moment = cast_vote.voted + timedelta(seconds=draw(st.integers(-9, 9)))
        taken_back = moment if draw(st.integers(0, 9)) == 0 else None
        votes.append(replace(cast_vote, voted=moment, withdrawn=taken_back))
    return votes


@settings(max_examples=80, deadline=None)
@given(some_votes(), st.sampled_from([QualityRules(), STRICT]))
def test_the_rules_are_the_same_by_columns_and_by_votes(votes: list[Vote], rules: QualityRules) -> None:
    cleaned = clean(votes, rules)
    reasons = {one.id: why for one, why in cleaned.dropped}
    expected = [REASONS.index(reasons[one.id]) if one.id in reasons else COUNTS for one in votes]
    assert screen(VoteColumns.of(votes), rules).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(some_votes())
def test_counts_and_agreement_are_the_same_by_columns_and_by_votes(votes: list[Vote]) -> None:
    kept = clean(votes, STRICT).kept
    columns = VoteColumns.of(kept)
    value, other = tally_of(columns), PairCounts.of(pairwise_votes(kept), WEIGHT_CAP)
    assert (value.contestants, value.voters) == (other.contestants, other.voters)
    for name in ("pairs", "voter", "pair", "counts"):
        assert getattr(value, name).tolist() == getattr(other, name).tolist()
    assert repeated_alike(VoteColumns.of(votes)) == self_agreement(votes)
    of_columns = coincidences(columns)
    assert of_columns.alpha(np.ones(of_columns.items)) == pytest.approx(krippendorff(ratings(kept)), nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(
    some_votes(),
    st.sampled_from(["", "emoji", "sdxl", "none"]),
    st.sampled_from([0, 4, 25]),
    st.sampled_from(["", "other", "none"]),
    st.sampled_from([None, "s", "none"]),
    st.sampled_from([(), ("a dog",)]),
)
def test_filters_are_the_same_by_columns_and_by_votes(  # noqa: PLR0917 - hypothesis gives one for each
    votes: list[Vote], family: str, steps: int, prompts: str, study: str | None, texts: tuple[str, ...]
) -> None:
    vote_filter = VoteFilter(family=family, steps=steps, prompts=prompts, study=study, texts=texts)
    assert vote_filter.rows(VoteColumns.of(votes)).tolist() == [vote_filter.holds(one) for one in votes]


def test_no_votes_give_no_rows() -> None:
    columns = VoteColumns.of([])
    assert len(columns) == 0
    assert screen(columns).tolist() == []
    assert rank_cleaned_votes(clean([])).problem == "there are no votes"
    assert np.asarray(VoteFilter().rows(columns)).tolist() == []
