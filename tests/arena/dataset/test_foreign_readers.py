"""Exports as other programs read them: evalica, and a Diffusion-DPO training."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import evalica
import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image

from hypersd.arena.dataset.export import export
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Choice
from hypersd.arena.votes.images import ImageStore
from tests.arena.voted import fresh, vote

Place = tuple[Store, ImageStore]
STRENGTH = "abc"


@pytest.fixture
def voted(tmp_path: Path) -> Iterator[Place]:
    """Votes in which the earlier letter usually wins."""
    store, pictures = fresh(tmp_path, "here")
    for number in range(180):
        models = (STRENGTH[number % 3], STRENGTH[(number + 1) % 3])
        usual: Choice = "left" if models[0] < models[1] else "right"
        choice: Choice = "tie" if number % 11 == 0 else usual if number % 4 else "right" if usual == "left" else "left"
        vote(store, pictures, number, models=models, choice=choice, voter=f"voter {number % 12}")
    yield store, pictures
    store.engine.dispose()


def test_evalica_ranks_an_export_as_we_do(voted: Place, tmp_path: Path) -> None:
    store, pictures = voted
    export(store.votes(), pictures, "arena", tmp_path / "arena-votes")
    rows = [
        row
        for split in load_dataset(str(tmp_path / "arena-votes")).values()
        for row in split.remove_columns(["image_a", "image_b"])
    ]
    winners = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    counted = [row for row in rows if row["dropped"] is None and row["winner"] in winners]
    fitted = evalica.bradley_terry(
        [row["model_a"] for row in counted],
        [row["model_b"] for row in counted],
        [winners[row["winner"]] for row in counted],
    )
    board = compute_leaderboard(store.votes())
    assert list(fitted.scores.sort_values(ascending=False).index) == [row.contestant for row in board.standings]


def test_a_diffusion_dpo_training_sees_the_preferred_picture_first(voted: Place, tmp_path: Path) -> None:
    """As diffusers' script reads Pick-a-Pic: pictures as bytes, swapped where label_0 is 0."""
    store, pictures = voted
    export(store.votes(), pictures, "pickapic", tmp_path / "pickapic-votes", drop_ties=True)
    rows = load_dataset(str(tmp_path / "pickapic-votes"), split="train")
    assert len(rows) > 50
    expected = {each.battle.pair.prompt: each.winner.picture for each in store.votes() if each.winner}
    for row in rows:
        assert row["has_label"]
        assert row["label_0"] in {0.0, 1.0}
        both = [np.asarray(Image.open(io.BytesIO(row[name])).convert("RGB")) for name in ("jpg_0", "jpg_1")]
        preferred, _ = both[::-1] if row["label_0"] == 0 else both
        wanted = np.asarray(pictures.open(expected[row["caption"]]))
        assert np.array_equal(preferred, wanted)
