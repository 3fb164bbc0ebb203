"""Publishing votes, and reading them back on a new machine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from datasets import load_dataset

from hypersd.arena.dataset.publish import Publisher, restore
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import now
from hypersd.arena.votes.images import ImageStore
from tests.arena.conftest import Postgres
from tests.arena.voted import fresh, vote


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


def test_restoring_on_a_new_machine_twice_changes_nothing(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    url = str(tmp_path / "published")
    votes = [vote(store, pictures, number, "simulated" if number % 3 == 0 else "human") for number in range(7)]
    publisher = Publisher(store, pictures, url)
    assert publisher.attempt()
    assert (publisher.health.waiting, publisher.health.failure) == (0, "")
    votes.append(vote(store, pictures, 7))
    assert publisher.attempt()
    shards = list((tmp_path / "published").glob("*/*"))
    assert {shard.parent.name for shard in shards} == {"human", "simulated"}
    assert {shard.name.partition("-")[0] for shard in shards} == {publisher.boot}
    other, elsewhere = fresh(tmp_path, "other")
    assert [restore(other, elsewhere, url) for _ in range(2)] == [8, 0]
    assert {one.id: one for one in other.votes()} == {one.id: one for one in votes}
    assert elsewhere.get(votes[0].battle.pair.entries[1].picture)
    assert other.outbox.unpublished(10) == [], "restored votes are not sent again"
    for name, count in (("human", 5), ("simulated", 3)):
        rows = load_dataset(url, name, split="train", cache_dir=str(tmp_path / "cache"))
        assert rows["kind"] == [name] * count
    assert set(load_dataset(url, split="train", cache_dir=str(tmp_path / "cache"))["kind"]) == {"human"}
    other.engine.dispose()


def test_a_shard_that_was_sent_twice_counts_once(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    """The machine died after sending and before recording it."""
    url = str(tmp_path / "published")
    cast_vote = vote(store, pictures, 1)
    publisher = Publisher(store, pictures, url)
    publisher._send("human", "first", [cast_vote])
    assert publisher.attempt()
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, url) == 1
    other.engine.dispose()


def test_a_failing_target_loses_no_vote_and_is_reported(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("a file where the folder should be")
    publisher = Publisher(store, pictures, str(target))
    cast_vote = vote(store, pictures, 1)
    assert not publisher.attempt()
    assert publisher.health.failure
    assert publisher.health.waiting == 1
    target.unlink()
    assert publisher.attempt()
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, str(target)) == 1
    assert [one.id for one in other.votes()] == [cast_vote.id]
    other.engine.dispose()


def test_the_hub_without_a_network_is_reported_as_a_failure(store: Store, pictures: ImageStore) -> None:
    vote(store, pictures, 1)
    publisher = Publisher(store, pictures, "hf://datasets/nobody/nothing")
    assert not publisher.attempt()
    assert publisher.health.failure
    assert not publisher.read_back()
    assert "could not be restored" in publisher.health.failure


def test_a_damaged_shard_does_not_block_the_others(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    url = tmp_path / "published"
    vote(store, pictures, 1)
    assert Publisher(store, pictures, str(url)).attempt()
    (url / "human" / "0broken.parquet").write_bytes(b"PAR1")
    other, elsewhere = fresh(tmp_path, "other")
    with pytest.raises(ValueError, match="1 votes were restored, but not all"):
        restore(other, elsewhere, str(url))
    other.engine.dispose()


def test_the_worker_sends_when_enough_votes_wait_and_again_at_the_end(
    store: Store, pictures: ImageStore, tmp_path: Path
) -> None:
    url = tmp_path / "published"
    publisher = Publisher(store, pictures, str(url), after_votes=3)
    stop = threading.Event()
    worker = threading.Thread(target=publisher.run, args=(stop, 0.02))
    worker.start()
    for number in range(3):
        vote(store, pictures, number)
    for _ in range(1000):
        if store.outbox.count_unpublished() == 0:
            break
        threading.Event().wait(0.02)
    assert len(list(url.glob("human/*.parquet"))) >= 1
    vote(store, pictures, 9)
    stop.set()
    worker.join(timeout=30)
    assert store.outbox.count_unpublished() == 0


def test_recorded_shards_are_not_read_again(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    url = tmp_path / "published"
    vote(store, pictures, 1)
    assert Publisher(store, pictures, str(url)).attempt()
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, str(url)) == 1
    next(url.glob("human/*.parquet")).write_bytes(b"gone bad since")
    assert restore(other, elsewhere, str(url)) == 0
    other.engine.dispose()


def test_an_answer_that_comes_after_publishing_is_published_too(
    store: Store, pictures: ImageStore, tmp_path: Path
) -> None:
    """Also one that is given after the first shard was written, but before it was recorded."""
    url = str(tmp_path / "published")
    early, late = vote(store, pictures, 1), vote(store, pictures, 2)
    publisher = Publisher(store, pictures, url)
    assert publisher.attempt()
    store.add_answer(early.battle.id, "right", now())
    assert store.outbox.count_unpublished() == 1
    assert publisher.attempt()
    between = vote(store, pictures, 3)
    store.add_answer(between.battle.id, "tie", now())
    store.outbox.published("without the answer", [between])
    assert store.outbox.unpublished(9) == [store.vote_of(between.battle.id)]
    assert publisher.attempt()
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, url) == 3
    answers = {one.id: one.knowing_time for one in other.votes()}
    assert answers == {early.id: "right", late.id: None, between.id: "tie"}
    assert other.outbox.unpublished(9) == []
    other.engine.dispose()


def test_a_lost_picture_blocks_only_its_own_vote(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    url = str(tmp_path / "published")
    lost, whole = vote(store, pictures, 1), vote(store, pictures, 2)
    name = lost.battle.pair.entries[0].picture
    data = pictures.get(name)
    (tmp_path / "pictures" / name[:2] / f"{name}.webp").unlink()
    publisher = Publisher(store, pictures, url)
    assert not publisher.attempt()
    assert publisher.health.waiting == 1
    assert "1 of the votes cannot be sent, since a picture cannot be read" in publisher.health.failure
    assert str(tmp_path) not in publisher.health.failure, "visitors see it"
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, url) == 1
    assert [one.id for one in other.votes()] == [whole.id]
    pictures.keep(name, data)
    assert publisher.attempt()
    assert restore(other, elsewhere, url) == 1
    other.engine.dispose()


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something holds, for at most 20 seconds."""
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never came true")


def test_a_lost_database_connection_does_not_stop_publishing(postgres: Postgres, tmp_path: Path) -> None:
    store, pictures = Store(postgres.url), ImageStore(str(tmp_path / "pictures"))
    publisher = Publisher(store, pictures, str(tmp_path / "published"), after_votes=1, least_seconds=0)
    stop = threading.Event()
    worker = threading.Thread(target=publisher.run, args=(stop, 0.02))
    worker.start()
    vote(store, pictures, 1)
    wait_for(lambda: publisher.health.waiting == 0 and store.outbox.count_unpublished() == 0)
    postgres.stop()
    wait_for(lambda: "the store does not answer" in publisher.health.failure)
    postgres.start()
    vote(store, pictures, 2)
    wait_for(lambda: store.outbox.count_unpublished() == 0 and not publisher.health.failure)
    stop.set()
    worker.join(timeout=30)
    assert not worker.is_alive()
    store.engine.dispose()


def test_two_replicas_restore_at_the_same_time(url: str, pictures: ImageStore, tmp_path: Path) -> None:
    store, _ = fresh(tmp_path, "origin")
    for number in range(40):
        cast_vote = vote(store, pictures, number)
        store.add_answer(cast_vote.battle.id, "left", now())
    published = str(tmp_path / "published")
    assert Publisher(store, pictures, published).attempt()
    replicas = [Store(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        new = pool.map(lambda one: restore(one, pictures, published), replicas)
    assert sum(new) == 40
    assert list(replicas[0].votes()) == list(store.votes())
    for replica in (store, *replicas):
        replica.engine.dispose()


def test_attempts_are_spaced(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    """The Hub takes 128 commits an hour."""
    url = tmp_path / "published"
    publisher = Publisher(store, pictures, str(url), after_votes=1, least_seconds=60)
    stop = threading.Event()
    worker = threading.Thread(target=publisher.run, args=(stop, 0.01))
    worker.start()
    vote(store, pictures, 0)
    wait_for(lambda: store.outbox.count_unpublished() == 0)
    for number in range(1, 6):
        vote(store, pictures, number)
    wait_for(lambda: publisher.health.waiting == 5)
    assert len(list(url.glob("human/*.parquet"))) == 1
    stop.set()
    worker.join(timeout=30)
    assert len(list(url.glob("human/*.parquet"))) == 2


_VOTING = """
import sys, threading
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.dataset.publish import Publisher
from hypersd.arena.store.store import Store
from tests.arena.voted import vote

folder, first = sys.argv[1], int(sys.argv[2])
store, pictures = Store(f"sqlite:///{folder}/arena.sqlite"), ImageStore(f"{folder}/pictures")
publisher = Publisher(store, pictures, f"{folder}/published", after_votes=1, least_seconds=0)
threading.Thread(target=publisher.run, args=(threading.Event(), 0.001), daemon=True).start()
for number in range(first, first + 10_000):
    print(vote(store, pictures, number).id, flush=True)
"""


def test_a_killed_machine_leaves_only_whole_shards(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    """Killed twice during voting and publishing: every acknowledged vote exists once."""
    url, root = str(tmp_path / "published"), Path(__file__).resolve().parents[3]
    acknowledged: list[str] = []
    for start in (0, 10_000):
        command = [sys.executable, "-c", _VOTING, str(tmp_path), str(start)]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            acknowledged += [process.stdout.readline().strip() for _ in range(30)]
            process.kill()
            acknowledged += process.stdout.read().split("\n")[:-1]
    ids = {one.id for one in store.votes()}
    assert set(acknowledged) <= ids
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, url) > 0, "complete shards are restored without an error"
    assert Publisher(store, pictures, url).attempt()
    restore(other, elsewhere, url)
    assert restore(other, elsewhere, url) == 0
    assert sorted(one.id for one in other.votes()) == sorted(ids)
    other.engine.dispose()
