"""The arena's nouns: what they refuse, and what they tell."""

from __future__ import annotations

from typing import Any

import pytest

from hypersd.arena.votes.battle import Battle, Client, Contestant, Vote, new_id, now, pseudonym
from tests.arena.conftest import pair


@pytest.mark.parametrize("label", ["emoji/hyper@4", "sd15/a/b@25"])
def test_a_contestant_is_its_label(label: str) -> None:
    assert Contestant.parse(label).label == label


@pytest.mark.parametrize("label", ["", "hyper@4", "emoji/hyper", "emoji/@4", "/hyper@4", "emoji/hyper@0", "emoji/x@-1"])
def test_what_names_no_contestant_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="names no contestant"):
        Contestant.parse(label)


@pytest.mark.parametrize("given", [{"input": "thought"}, {"decision_ms": -1}, {"decision_ms": 2**31}])
def test_what_no_browser_says_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown input|milliseconds"):
        Client(**given)


def test_a_pseudonym_needs_the_key_and_says_nothing() -> None:
    name = pseudonym(b"key", "192.0.2.1|token")
    assert name == pseudonym(b"key", "192.0.2.1|token")
    assert len({name, pseudonym(b"other key", "192.0.2.1|token"), pseudonym(b"key", "192.0.2.2|token")}) == 3
    assert len(name) == 24
    assert "192" not in name
    assert len({new_id() for _ in range(100)}) == 100


@pytest.mark.parametrize("swapped", [False, True])
def test_who_wins_is_who_stood_on_the_chosen_side(swapped: bool) -> None:  # noqa: FBT001 - a parameter of the test
    given = pair()
    battle = Battle(pair=given, swapped=swapped, voter="ann", kind="human", expires=now())
    left, right = given.entries[::-1] if swapped else given.entries
    assert battle.sides == (left, right)
    winners = [Vote(battle=battle, choice=choice).winner for choice in ("left", "right", "tie", "both_bad", "skip")]
    assert winners == [left, right, None, None, None]
