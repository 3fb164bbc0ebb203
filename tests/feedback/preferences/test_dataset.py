"""Votes become choices: none is invented, none of a cheater counts, and prompts are never split."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hypersd.arena.dataset.export import export
from hypersd.arena.dataset.splits import split_of
from hypersd.arena.votes.battle import Vote, now
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preferences, from_votes, one_kind, read_preferences, reliability
from tests.arena.voted import fresh, vote


def votes_of(tmp_path: Path, kind: str = "simulated") -> tuple[list[Vote], ImageStore]:
    """Thirty votes of three voters, a tie, a "both bad" and a skip among them."""
    store, pictures = fresh(tmp_path, "votes")
    choices = {3: "tie", 5: "both_bad", 7: "skip"}
    for number in range(30):
        chosen = choices.get(number, "left" if number % 2 else "right")
        vote(store, pictures, number, kind, voter=f"voter-{number % 3}", choice=chosen)  # type: ignore[arg-type]
    votes = list(store.votes())
    store.engine.dispose()
    return votes, pictures


def test_choices_are_what_was_voted(tmp_path: Path) -> None:
    votes, _ = votes_of(tmp_path)
    preferences_ = from_votes(votes, "simulated")
    by_prompt = {one.prompt: one for one in preferences_.examples}
    assert len(preferences_.examples) == 29, "a skip says nothing"
    assert by_prompt["prompt 3"].target == 0.5
    assert by_prompt["prompt 5"].both_bad
    assert not by_prompt["prompt 5"].decisive
    for vote_ in votes:
        if vote_.winner:
            preference = by_prompt[vote_.battle.pair.prompt]
            assert preference.pictures[0 if preference.target > 0.5 else 1] == vote_.winner.picture
    assert sum(one.weight for one in preferences_.examples) == pytest.approx(len(preferences_.examples))


def test_kinds_do_not_mix(tmp_path: Path) -> None:
    votes, _ = votes_of(tmp_path)
    assert not from_votes(votes, "human").examples
    assert from_votes(votes).kind == "simulated"
    assert one_kind(["simulated", "human"]) == "human"
    person = replace(votes[0], battle=replace(votes[0].battle, kind="human", voter="ann"))
    mixed = from_votes([*votes, person])
    assert mixed.kind == "human"
    assert len(mixed.examples) == 1


def test_no_prompt_is_in_two_parts(preferences: Preferences) -> None:
    parts = {name: {one.prompt for one in preferences.split(name)} for name in ("train", "validation", "test")}
    assert set.union(*parts.values()) == {one.prompt for one in preferences.examples}
    assert sum(map(len, parts.values())) == 40
    for part, prompts in parts.items():
        assert {split_of(prompt) for prompt in prompts} == {part}


def test_a_voter_who_contradicts_themselves_weighs_less(tmp_path: Path) -> None:
    store, pictures = fresh(tmp_path, "votes")
    cast_votes: list[Vote] = []
    for number in range(12):
        voter, choice = ("steady", "left") if number % 2 else ("fickle", "left")
        first = vote(store, pictures, number, "simulated", voter=voter)
        battle = replace(
            first.battle,
            id=f"again-{number}",
            repeat_of=first.battle.id,
            purpose="repeat",
            swapped=True,
            drawn=now() + timedelta(minutes=1),
        )
        # Sides are swapped: the steady voter takes the same picture, the fickle one the same side.
        cast_votes += [
            first,
            replace(first, id=f"vote-{number}", battle=battle, choice="right" if voter == "steady" else choice),
        ]
    store.engine.dispose()
    weights = reliability(cast_votes)
    assert weights["steady"] > 3 * weights["fickle"]


@pytest.mark.parametrize("form", ["arena", "pickapic"])
def test_an_export_says_the_same_as_the_store(tmp_path: Path, form: str) -> None:
    votes, pictures = votes_of(tmp_path)
    export(votes, pictures, form, tmp_path / "export", kind="simulated")  # type: ignore[arg-type]
    own = ImageStore(str(tmp_path / "own"))
    preferences_ = read_preferences(tmp_path / "export", own)
    expected = from_votes(votes, "simulated")
    assert preferences_.kind == "simulated"

    def as_set(data: Preferences) -> set[tuple[str, float]]:
        return {(one.prompt, one.target) for one in data.examples if not one.both_bad}

    assert as_set(preferences_) == as_set(expected)
    for preference in preferences_.examples:
        assert own.open(preference.pictures[0]).size == (8, 8)


def test_what_is_no_vote_is_named(tmp_path: Path) -> None:
    (tmp_path / "votes.parquet").write_bytes(b"not a table")
    with pytest.raises(ValueError, match=r"votes\.parquet"):
        read_preferences(tmp_path, ImageStore(str(tmp_path / "pictures")))
    with pytest.raises(FileNotFoundError):
        read_preferences(tmp_path / "nowhere", ImageStore(str(tmp_path / "pictures")))
    votes, pictures = votes_of(tmp_path / "other")
    export(votes, pictures, "arena", tmp_path / "export", kind="simulated")
    with pytest.raises(ValueError, match="no human votes"):
        read_preferences(tmp_path / "export", ImageStore(str(tmp_path / "own")), "human")
