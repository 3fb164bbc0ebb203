"""Votes become choices: none is invented, none of a cheater counts, and prompts are never split."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hypersd.arena.dataset.export import export
from hypersd.arena.dataset.importing import import_votes
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


def photograph(shade: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (24, 16), shade).save(file, "JPEG", quality=40)
    return file.getvalue()


def pickapic(tmp_path: Path, *rows: dict[str, object]) -> Path:
    """A file in the columns of Pick-a-Pic that says nothing but choices: not even when they were made."""
    bare = {"caption": "a fox", "jpg_0": photograph(40), "jpg_1": photograph(200, "L"), "label_0": 1.0, "label_1": 0.0}
    file = tmp_path / "bare.parquet"
    pq.write_table(pa.Table.from_pylist([bare | row for row in rows]), file)
    return file


def test_pickapic_s_pictures_are_kept_byte_for_byte_and_no_moment_is_needed(tmp_path: Path) -> None:
    file = pickapic(tmp_path, {}, {"label_0": 0.5, "label_1": 0.5}, {"label_0": 0.3, "label_1": 0.7})
    own = ImageStore(str(tmp_path / "own"))
    preferences_ = read_preferences(file, own)
    assert (preferences_.kind, preferences_.cast) == ("human", 3)
    assert [one.target for one in preferences_.examples] == pytest.approx([1.0, 0.5, 0.3])
    for preference in preferences_.examples:
        assert (preference.voter, preference.models) == ("", ("", ""))
        assert [own.get(name) for name in preference.pictures] == [photograph(40), photograph(200, "L")]
        assert [own.open(name).mode for name in preference.pictures] == ["RGB", "RGB"]


def test_preferences_and_an_import_keep_pickapic_s_pictures_under_the_same_names(tmp_path: Path) -> None:
    file = pickapic(tmp_path, {"created_at": now(), "user_id": 4, "model_0": "a/b"})
    store, pictures = fresh(tmp_path, "imported")
    import_votes(file, store, pictures)
    (imported,) = from_votes(store.votes()).examples
    (read,) = read_preferences(file, ImageStore(str(tmp_path / "own"))).examples
    store.engine.dispose()
    assert (read.prompt, read.pictures, read.target) == (imported.prompt, imported.pictures, imported.target)
    assert (read.voter, imported.voter) == ("4", "p4")
    assert (read.models, imported.models) == (("a/b", ""), ("unknown/a/b@?", "unknown/unknown@?"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label_1": 3.0}, "labels must be numbers from 0 to 1, not 1.0 and 3.0"),
        ({"jpg_1": b"no picture"}, "cannot be opened"),
        ({"jpg_0": None}, "no picture in jpg_0"),
    ],
)
def test_a_row_of_pickapic_that_is_no_choice_is_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    file = pickapic(tmp_path, {"has_label": True}, {"has_label": False}, {"has_label": True, **change})
    with pytest.raises(ValueError, match=rf"bare\.parquet has a row that is not a valid vote: row 3: .*{words}"):
        read_preferences(file, ImageStore(str(tmp_path / "own")))


def test_choices_of_pickapic_that_nobody_made_are_left_out(tmp_path: Path) -> None:
    file = pickapic(tmp_path, {"has_label": True}, {"has_label": False, "label_0": None, "jpg_0": None})
    assert len(read_preferences(file, ImageStore(str(tmp_path / "own"))).examples) == 1


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
