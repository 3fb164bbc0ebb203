"""The arena's dataclasses: validation and derived values."""

from __future__ import annotations

from typing import Any

import pytest

from hypersd.arena.votes.battle import Battle, Client, Contestant, Vote, new_id, now, pseudonym
from tests.arena.conftest import pair


@pytest.mark.parametrize("label", ["emoji/hyper@4", "sd15/a/b@25"])
def test_a_label_is_parsed_to_its_contestant(label: str) -> None:
    assert Contestant.parse(label).label == label


@pytest.mark.parametrize("label", ["", "hyper@4", "emoji/hyper", "emoji/@4", "/hyper@4", "emoji/hyper@0", "emoji/x@-1"])
def test_an_invalid_label_is_rejected(label: str) -> None:
    with pytest.raises(ValueError, match="is not a contestant"):
        Contestant.parse(label)


@pytest.mark.parametrize("given", [{"input": "thought"}, {"decision_ms": -1}, {"decision_ms": 2**31}])
def test_an_invalid_client_report_is_rejected(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown input|milliseconds"):
        Client(**given)


def test_a_pseudonym_depends_on_the_key_and_hides_the_name() -> None:
    name = pseudonym(b"key", "192.0.2.1|token")
    assert name == pseudonym(b"key", "192.0.2.1|token")
    assert len({name, pseudonym(b"other key", "192.0.2.1|token"), pseudonym(b"key", "192.0.2.2|token")}) == 3
    assert len(name) == 24
    assert "192" not in name
    assert len({new_id() for _ in range(100)}) == 100


@pytest.mark.parametrize("swapped", [False, True])
def test_the_winner_is_the_entry_on_the_chosen_side(swapped: bool) -> None:  # noqa: FBT001 - a parameter of the test
    given = pair()
    battle = Battle(pair=given, swapped=swapped, voter="ann", kind="human", expires=now())
    left, right = given.entries[::-1] if swapped else given.entries
    assert battle.sides == (left, right)
    winners = [Vote(battle=battle, choice=choice).winner for choice in ("left", "right", "tie", "both_bad", "skip")]
    assert winners == [left, right, None, None, None]
