"""The pool of an arena of one's own pictures."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from hypersd.arena.library.library_source import LibrarySource
from hypersd.arena.library.picture_library import PictureLibrary, WatchedLibrary
from hypersd.arena.service.matchmaking import pair_probabilities
from hypersd.arena.service.pool import PairPool
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from tests.arena.library.test_new_arena import make
from tests.arena.library.test_picture_list import draw, table

COLOURS = ("red", "blue", "green")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


def listing(folder: Path, prompts: int = 4) -> Path:
    """Three models' pictures of some prompts, all different."""
    lines: list[str] = []
    for prompt in range(prompts):
        for model, colour in enumerate(COLOURS):
            draw(folder / f"{prompt}-{model}.png", colour, (32 + 2 * prompt, 32))
            lines.append(f"prompt {prompt},m{model},{prompt},{prompt}-{model}.png")
    return table(folder, *lines)


def pool_of(folder: Path, store: Store, seed: int = 0) -> PairPool:
    library = PictureLibrary.read(folder)
    assert library is not None
    watched = WatchedLibrary(library)
    source = LibrarySource(
        watched, store, lambda: pair_probabilities([one.label for one in watched.current().contestants]), low=100
    )
    return PairPool(
        store, ImageStore(str(folder / "pictures")), source, [source.source()], rng=np.random.default_rng(seed)
    )


def fill(pool: PairPool) -> None:
    """Add pairs until there are none to add."""
    while source := pool.next_source_to_fill():
        pool.add_pair(source)


def test_each_pair_of_contestants_meets_once_on_each_scene(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "mine"
    make(folder, listing(tmp_path / "source"))
    fill(pool_of(folder, store))
    pairs = [pair for pair in store.pairs.select() if pair.gold is None]
    met = Counter((pair.prompt, pair.seed, *(entry.contestant.model for entry in pair.entries)) for pair in pairs)
    assert met == Counter(
        (f"prompt {prompt}", prompt, *models) for prompt in range(4) for models in combinations(("m0", "m1", "m2"), 2)
    )
    assert {pair.prompt_set for pair in pairs} == {"mine"}
    assert {(entry.calls, entry.seconds) for pair in pairs for entry in pair.entries} == {(0, 0.0)}


def test_a_restart_repeats_no_pair_and_new_pictures_are_added_while_it_runs(tmp_path: Path, store: Store) -> None:
    folder, source = tmp_path / "mine", tmp_path / "source"
    make(folder, listing(source, prompts=2))
    fill(pool_of(folder, store))
    again = pool_of(folder, store, seed=1)
    assert again.next_source_to_fill() is None
    make(folder, listing(source, prompts=3))
    fill(again)
    assert len([pair for pair in store.pairs.select() if pair.gold is None]) == 9


def test_a_model_without_its_files_is_benched_and_the_others_go_on(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "mine"
    library = make(folder, listing(tmp_path / "source")).library
    for picture in library.pictures:
        if picture.model == "m1":
            (folder / "library" / picture.file[:2] / f"{picture.file}.webp").unlink()
    fill(pool_of(folder, store))
    assert [one.label for one in store.bench.reasons()] == ["mine/m1@?"]
    assert len([pair for pair in store.pairs.select() if pair.gold is None]) == 4
