"""Preferences come from the vote store that the environment names, without those whose pictures are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.gathering import check_votes, gather_preferences
from tests.arena.voted import fresh, vote


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, ImageStore]:
    """The store and the pictures that the environment names."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/arena.sqlite")
    monkeypatch.setenv("HYPERSD_PICTURES", str(tmp_path / "arena"))
    return fresh(tmp_path, "arena")


def test_votes_on_lost_pictures_are_left_out_and_counted(
    storage: tuple[Store, ImageStore], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = [vote(*storage, number, "simulated") for number in range(3)]
    preferences, pictures = gather_preferences(None, None, tmp_path / "out")
    assert (preferences.kind, len(preferences.examples)) == ("simulated", 3)
    assert not caplog.text
    lost = given[0].battle.pair.entries[0].picture
    (tmp_path / "arena" / lost[:2] / f"{lost}.webp").unlink()
    preferences, pictures = gather_preferences(None, None, tmp_path / "out")
    assert {example.prompt for example in preferences.examples} == {"prompt 1", "prompt 2"}
    assert f"1 votes are left out, since a picture of theirs is missing or damaged ({lost})" in caplog.text
    assert all(pictures.open(name) for example in preferences.examples for name in example.pictures)
    for file in (tmp_path / "arena").rglob("*.webp"):
        file.unlink()
    with pytest.raises(ValueError, match="no picture of the 3 votes in the vote store can be read"):
        gather_preferences(None, None, tmp_path / "out")


@pytest.mark.usefixtures("storage")
def test_a_store_without_votes_says_what_to_do(tmp_path: Path) -> None:
    check_votes(None)
    with pytest.raises(ValueError, match="no human votes that count in the vote store; collect some, or name --votes"):
        gather_preferences(None, "human", tmp_path / "out")


def test_a_store_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost:1/none")
    with pytest.raises(ValueError, match=r"does not answer .*; check DATABASE_URL"):
        check_votes(None)
