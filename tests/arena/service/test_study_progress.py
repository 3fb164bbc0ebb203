"""Progress of studies: each new or restored vote is counted once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hypersd.arena.service.studies import Comparison, Study
from hypersd.arena.service.study_progress import StudyProgressCounter
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Battle, Choice, Contestant, Kind, Vote, now
from tests.arena.conftest import pair

HYPER, BASE, TURBO = (Contestant.parse(label) for label in ("emoji/hyper@4", "emoji/base@25", "emoji/turbo@1"))
AGAINST_BASE, AGAINST_TURBO = Comparison(ours=HYPER, rival=BASE), Comparison(ours=HYPER, rival=TURBO)
STUDY = Study(
    name="s", title="A study", prompts="emoji-v1", votes=3, ties=False, comparisons=(AGAINST_BASE, AGAINST_TURBO)
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


def vote(
    store: Store,
    rival: Contestant = BASE,
    choice: Choice = "left",
    *,
    voter: str = "ann",
    study: str | None = "s",
    kind: Kind = "human",
    hours_ago: float = 0,
) -> Vote:
    given = pair(HYPER.label, rival.label, study=study)
    moment = now() - timedelta(hours=hours_ago)
    battle = Battle(pair=given, swapped=False, voter=voter, kind=kind, expires=moment)
    store.pairs.add(given)
    store.battles.add(battle)
    vote = Vote(battle=battle, choice=choice, voted=moment)
    store.add_vote(vote)
    return vote


def test_votes_count_at_once_and_in_their_study(store: Store) -> None:
    counting = StudyProgressCounter(store)
    empty = counting.progress(STUDY)
    assert (empty.given, empty.wanted, empty.complete) == (0, 6, 0)
    for choice in ("left", "right", "skip"):
        vote(store, choice=choice)
    vote(store, TURBO)
    vote(store, study=None)
    vote(store, study="another")
    vote(store, kind="simulated")
    progress = counting.progress(STUDY)
    assert progress.counts == {AGAINST_BASE: 2, AGAINST_TURBO: 1}
    assert progress.shares[AGAINST_BASE].value == 0.5
    assert (progress.given, progress.complete) == (3, 0)
    assert counting.progress(STUDY, "simulated").counts == {AGAINST_BASE: 1, AGAINST_TURBO: 0}


def test_votes_beyond_those_wanted_make_no_other_comparison_complete(store: Store) -> None:
    counting = StudyProgressCounter(store)
    for number in range(5):
        vote(store, voter=f"voter-{number}")
    progress = counting.progress(STUDY)
    assert progress.counts[AGAINST_BASE] == 5
    assert (progress.given, progress.complete) == (3, 1)


def test_dropped_votes_are_no_progress(store: Store) -> None:
    """Votes of a voter who fails the study's checks do not count."""
    counting = StudyProgressCounter(store)
    vote(store)
    assert counting.progress(STUDY).given == 1
    for _ in range(6):
        spoiled = pair(HYPER.label, HYPER.label, study="s", gold=0)
        battle = Battle(pair=spoiled, swapped=False, voter="ann", kind="human", purpose="gold", expires=now())
        store.pairs.add(spoiled)
        store.battles.add(battle)
        store.add_vote(Vote(battle=battle, choice="right"))
    assert counting.progress(STUDY).given == 0


def test_restored_older_votes_are_added_once(store: Store) -> None:
    counting = StudyProgressCounter(store)
    assert counting.progress(STUDY).given == 0
    old = vote(store, hours_ago=5)
    assert counting.progress(STUDY).given == 0, "only new votes are read"
    for _ in range(2):
        counting.add([old, vote(store, study=None)])
        assert counting.progress(STUDY).given == 1
    assert StudyProgressCounter(store).progress(STUDY).given == 1, "the first read is of all votes"
