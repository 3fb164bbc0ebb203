"""The pool of prepared pairs, with a generator that draws plain squares."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.arena.service import pool
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.image_generator import GeneratedImage, GenerationInterrupted
from hypersd.arena.service.pool import PairPool, PairSource, shuffle_tiles
from hypersd.arena.service.vote_rules import BattlePolicy
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Battle, Contestant, Pair, now
from tests.arena.conftest import Postgres
from tests.arena.squares import BASE, HYPER, TURBO, Squares, even, working


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


def run_until(worker: PairPool, done: threading.Event, seconds: float = 20) -> None:
    """Let the worker run until `done`, or fail."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    finished = done.wait(seconds)
    stop.set()
    thread.join()
    assert finished


def when(condition: object, seconds: float = 20) -> threading.Event:
    """An event that is set when the condition holds."""
    done = threading.Event()
    assert callable(condition)

    def watch() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                done.set()
                return
            time.sleep(0.01)

    threading.Thread(target=watch, daemon=True).start()
    return done


def test_the_pool_is_filled_once(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    run_until(worker, when(lambda: store.pairs.pool_size(None) >= 5))
    assert worker.next_source_to_fill() is None
    assert store.pairs.pool_size(None) == 5
    pairs = store.pairs.select()
    for pair in pairs:
        first, second = pair.entries
        assert pair.prompt in {"a cat", "a dog"}
        assert pair.probability == pytest.approx(1 / 3)
        assert first.seconds == first.contestant.steps / 10
        assert worker.pictures.open(second.picture).size == (32, 32)
        assert dict(pair.software) == {"painter": "1"}
    again = Store(store.url)
    assert again.pairs.pool_size(None) == store.pairs.pool_size(None), "the pool survives a restart"


def test_pairs_and_votes_are_spread_over_all_prompts(store: Store, tmp_path: Path) -> None:
    """Of 120 prompts, 120 live votes lay on about 70 (drawn at random: 120 · (1 − 1/e)) before prompts were spread."""
    prompts = [f"prompt {number}" for number in range(120)]
    worker = working(store, tmp_path / "pictures", Squares(), low=10)
    worker.sources = [replace(worker.sources[0], prompts=prompts)]
    policy = BattlePolicy(votes_a_minute=10**6, gold_share=0, first_gold=0, repeat_share=0, overlap_share=0.12)
    service = BattleService(store, policy, rng=random.Random(0))
    for number in range(120):
        while source := worker.next_source_to_fill():
            worker.add_pair(source)
        voter = f"voter-{number % 8}"
        battle = service.next_battle(voter)
        assert battle is not None
        service.mark_shown(battle.id, voter)
        service.vote(battle.id, voter, "left")
    votes = Counter(vote.battle.pair.prompt for vote in store.votes())
    assert len(votes) >= 95, "each vote except overlap is on another prompt"
    pairs = Counter(pair.prompt for pair in store.pairs.select() if pair.gold is None)
    assert max(pairs.values()) - min(pairs[prompt] for prompt in prompts) <= 1


def test_prompts_used_often_by_an_earlier_release_wait_for_the_others(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    for seed in range(6):
        value = worker.generate_pair("a cat", "emoji-v1", (HYPER, BASE), probability=1, seed=seed)
        assert value is not None
        store.pairs.add(value)
    drawn = [worker.add_pair(worker.sources[0]) for _ in range(6)]
    assert {pair.prompt for pair in drawn if pair and pair.gold is None} == {"a dog"}


@dataclass
class Twins(Squares):
    """Draws the same square for every contestant."""

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        square = Image.new("RGB", (32, 32), (seed % 256, 0, 0))
        return [GeneratedImage(square.copy(), 0.1, one.steps, "1") for one in contestants]


def test_two_equal_pictures_are_neither_a_pair_nor_a_failure(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Twins())
    assert [worker.add_pair(worker.sources[0]) for _ in range(5)] == [None] * 5
    assert worker.generate_pair("a cat", "own", (HYPER, BASE), probability=1, gold=True) is None, (
        "one colour cannot be spoiled"
    )
    assert store.pairs.select() == []
    assert store.bench.reasons() == {}


def test_a_failing_contestant_is_benched_and_the_arena_goes_on(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares(broken={TURBO}))
    run_until(worker, when(lambda: store.pairs.pool_size(None) >= 5 and store.bench.reasons()))
    assert store.bench.reasons() == {TURBO: "out of memory"}
    assert all(TURBO not in {entry.contestant for entry in pair.entries} for pair in store.pairs.select())


def test_a_restart_unbenches_contestants(store: Store, tmp_path: Path) -> None:
    store.bench.add(TURBO, "out of memory")
    worker = working(store, tmp_path / "pictures", Squares())
    run_until(worker, when(lambda: any(TURBO in contestants(pair) for pair in store.pairs.select())))
    assert store.bench.reasons() == {}


def contestants(pair: Pair) -> set[Contestant]:
    return {entry.contestant for entry in pair.entries}


def test_a_gold_pair_resets_only_the_failures_of_its_contestant(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares(broken={TURBO}))
    for _ in range(3):
        assert worker.generate_pair("a cat", "emoji-v1", (HYPER, TURBO), probability=1, gold=True) is not None
        assert worker.generate_pair("a cat", "emoji-v1", (HYPER, TURBO), probability=1) is None
    assert store.bench.reasons() == {TURBO: "out of memory"}


def test_one_failure_does_not_bench_a_contestant(store: Store, tmp_path: Path) -> None:
    painter = Squares(broken={TURBO})
    worker = working(store, tmp_path / "pictures", painter)
    for _ in range(2):
        assert worker.generate_pair("a cat", "own", (HYPER, TURBO), probability=1) is None
    painter.broken.clear()
    assert worker.generate_pair("a cat", "own", (HYPER, TURBO), probability=1) is not None
    painter.broken.add(TURBO)
    assert worker.generate_pair("a cat", "own", (HYPER, TURBO), probability=1) is None
    assert store.bench.reasons() == {}


def test_the_worker_survives_when_all_contestants_are_benched(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    for contestant in (HYPER, BASE):
        store.bench.add(contestant, "broken")
    assert worker.add_pair(worker.sources[0]) is None


def test_visitors_have_priority(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    busy = threading.Event()
    busy.set()
    worker.busy = busy.is_set
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    time.sleep(0.3)
    assert store.pairs.pool_size(None) == 0
    busy.clear()
    filled = when(lambda: store.pairs.pool_size(None) >= 5).wait(20)
    stop.set()
    thread.join()
    assert filled


def test_an_interruption_is_not_a_failure(store: Store, tmp_path: Path) -> None:
    @dataclass
    class Interrupted(Squares):
        def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
            raise GenerationInterrupted

    worker = working(store, tmp_path / "pictures", Interrupted())
    assert [worker.add_pair(worker.sources[0]) for _ in range(4)] == [None] * 4
    assert store.bench.reasons() == {}
    assert store.pairs.select() == []


def test_the_first_visitors_have_a_gold_pair(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "GOLD_SHARE", 0.0)
    worker = working(store, tmp_path / "pictures", Squares())
    pairs = [worker.add_pair(worker.sources[0]) for _ in range(5)]
    assert [pair and pair.gold for pair in pairs] == [None, 0, None, None, None], "the first pair is an ordinary one"


def test_abandoned_pairs_are_handed_out_again_before_new_ones_are_drawn(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares(), low=2)
    while worker.next_source_to_fill():
        worker.add_pair(worker.sources[0])
    for voter in ("ann", "ben"):
        candidate = store.pairs.candidate(voter, None)
        assert candidate is not None
        assert store.battles.claim(Battle(pair=candidate[0], swapped=False, voter=voter, kind="human", expires=now()))
    assert worker.next_source_to_fill(), "it searches for abandoned pairs once a minute"
    restarted = working(store, tmp_path / "pictures", Squares(), low=2)
    assert restarted.next_source_to_fill() is None
    assert store.pairs.pool_size(None) == 2


def study_of(probabilities: Callable[[], Mapping[tuple[str, str], float]]) -> PairSource:
    return PairSource(study="figure-5", probabilities=probabilities, prompts=["a dog"], prompt_set="emoji-v1", low=8)


def test_a_study_is_filled_beside_the_open_arena(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    worker.sources = [*worker.sources, study_of(lambda: even(HYPER, BASE))]
    run_until(worker, when(lambda: worker.next_source_to_fill() is None))
    assert (store.pairs.pool_size(None), store.pairs.pool_size("figure-5")) == (5, 8)
    pairs = [pair for pair in store.pairs.select() if pair.study]
    assert all(contestants(pair) == {HYPER, BASE} for pair in pairs if pair.gold is None)


def test_a_study_has_its_own_gold_pairs(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "GOLD_SHARE", 0.0)
    worker = working(store, tmp_path / "pictures", Squares())
    for _ in range(3):
        worker.add_pair(worker.sources[0])
    source = study_of(lambda: even(HYPER, BASE))
    pairs = [worker.add_pair(source) for _ in range(4)]
    assert [pair and pair.gold for pair in pairs] == [None, 0, None, None]
    candidate = store.pairs.candidate("ann", "figure-5", gold=True)
    assert candidate is not None
    assert candidate[0] == pairs[1]


def test_a_complete_study_draws_nothing_and_does_not_block_others(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    open_arena = worker.sources[0]
    complete = study_of(dict[tuple[str, str], float])
    worker.sources = [complete, open_arena]
    assert worker.next_source_to_fill() == open_arena, "although the study's pool is empty too"
    assert worker.add_pair(complete) is None
    run_until(worker, when(lambda: store.pairs.pool_size(None) >= 5))
    assert store.pairs.pool_size("figure-5") == 0


def test_pictures_that_cannot_be_stored_do_not_stop_the_worker(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pictures"
    folder.write_text("a file where the folder should be")
    worker = working(store, folder, Squares())
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert when(lambda: "no pair could be prepared" in caplog.text).wait(20)
    assert store.pairs.select() == []
    folder.unlink()
    filled = when(lambda: store.pairs.pool_size(None) >= 5).wait(20)
    stop.set()
    thread.join()
    assert filled


def test_a_lost_database_connection_does_not_stop_the_worker(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(postgres.database("supply_away"))
    worker = working(store, tmp_path / "pictures", Squares(), low=300)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert when(lambda: store.pairs.pool_size(None) >= 3).wait(20)
    postgres.stop()
    gone = when(lambda: "no pair could be prepared" in caplog.text).wait(20)
    postgres.start()
    before = store.pairs.pool_size(None)
    filled = when(lambda: store.pairs.pool_size(None) > before).wait(20)
    stop.set()
    thread.join()
    assert gone
    assert filled
    store.engine.dispose()


class Noise(Squares):
    """Draws noise, in which all tiles differ."""

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        return [GeneratedImage(Image.fromarray(pixels), 0.1, one.steps, "1") for one in contestants]


def test_a_gold_pair_is_a_picture_and_its_spoiled_copy(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "GOLD_SHARE", 1.0)
    worker = working(store, tmp_path / "pictures", Noise())
    pair = worker.add_pair(worker.sources[0])
    assert pair is not None
    assert pair.gold == 0
    good, bad = pair.entries
    assert good.contestant == bad.contestant
    clean, spoiled = (worker.pictures.open(one.picture) for one in (good, bad))
    assert np.array_equal(np.asarray(spoiled), np.asarray(shuffle_tiles(clean)))
    assert not np.array_equal(np.asarray(spoiled), np.asarray(clean))
    assert store.pairs.pool_size(None) == 0, "gold pairs are not part of the pool's count"


@pytest.mark.parametrize("size", [(128, 128), (100, 61)])
def test_a_spoiled_copy_is_a_permutation_of_all_tiles(size: tuple[int, int]) -> None:
    shape = (size[1], size[0], 3)
    clean = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    spoiled = np.asarray(shuffle_tiles(Image.fromarray(clean)))
    assert spoiled.shape == shape
    assert np.array_equal(np.sort(spoiled, axis=None), np.sort(clean, axis=None))
    assert (spoiled != clean).mean() > 0.8


def test_prompts_are_cycled_and_filling_continues(store: Store, tmp_path: Path) -> None:
    worker = working(store, tmp_path / "pictures", Squares())
    prompts = ["a cat", "a dog", "a car"]
    lines: list[str] = []
    source = replace(worker.sources[0], prompts=prompts)
    worker.fill(source, 2, lines.append)
    assert Counter(pair.prompt for pair in store.pairs.select()) == {"a cat": 1, "a dog": 1}
    worker.fill(source, 6, lines.append)
    assert Counter(pair.prompt for pair in store.pairs.select()) == dict.fromkeys(prompts, 2)
    assert lines[:3] == ["drawing pair 1 of 2", "drawing pair 2 of 2", "drawing pair 1 of 4"]
