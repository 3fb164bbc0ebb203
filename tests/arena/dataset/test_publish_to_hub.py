"""Publishing to a Hub on this machine that fails, stalls, refuses and limits, and restoring from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfFileSystem, close_session, set_client_factory
from huggingface_hub.utils import _http

from hypersd.arena.dataset.publish import Publisher, restore
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.utils.hub_client import limit_silence
from tests.arena.voted import fresh, vote
from tests.repo_hub import RepoHub, serve, use

URL = "hf://datasets/me/votes"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/arena.sqlite"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[RepoHub]:
    with serve("dataset", "me/votes") as served:
        use(served, monkeypatch)
        yield served
        served.flowing.set()
    HfFileSystem.clear_instance_cache()


@pytest.fixture
def _impatient() -> Iterator[None]:
    """The Hub's client gives up on a silent Hub after a moment."""
    limit_silence(0.2)
    yield
    set_client_factory(_http.default_client_factory)
    close_session()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the Hub's client would wait between its attempts."""
    slept: list[float] = []
    monkeypatch.setattr(_http.time, "sleep", slept.append)
    return slept


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never came true"
        threading.Event().wait(0.02)


def test_a_new_machine_gets_every_published_vote_back(
    hub: RepoHub, store: Store, pictures: ImageStore, tmp_path: Path
) -> None:
    votes = [vote(store, pictures, number) for number in range(3)]
    publisher = Publisher(store, pictures, URL)
    assert publisher.attempt(), publisher.health.failure
    assert "README.md" in hub.files
    votes.append(vote(store, pictures, 3))
    assert publisher.attempt()
    assert len([path for path in hub.files if path.startswith("human/")]) == 2
    other, elsewhere = fresh(tmp_path, "other")
    assert restore(other, elsewhere, URL) == 4
    assert {one.id for one in other.votes()} == {one.id for one in votes}
    assert elsewhere.get(votes[3].battle.pair.entries[0].picture)
    other.engine.dispose()


def test_a_refusal_keeps_the_votes_and_names_no_token(hub: RepoHub, store: Store, pictures: ImageStore) -> None:
    hub.refusal = 403
    vote(store, pictures, 1)
    publisher = Publisher(store, pictures, URL)
    assert not publisher.attempt()
    assert publisher.health.waiting == 1
    assert "403" in publisher.health.failure
    assert "hf_test" not in publisher.health.failure
    hub.refusal = 0
    assert publisher.attempt()


def test_a_hub_that_is_out_of_order_is_tried_again(
    hub: RepoHub, store: Store, pictures: ImageStore, slept: list[float]
) -> None:
    vote(store, pictures, 1)
    hub.faults = 30
    publisher = Publisher(store, pictures, URL)
    assert not publisher.attempt()
    assert publisher.failed_attempts == 1
    hub.faults = 0
    assert publisher.attempt()
    assert (publisher.health.waiting, publisher.health.failure) == (0, "")


def test_a_rate_limit_is_waited_for_as_long_as_the_hub_says(
    hub: RepoHub, store: Store, pictures: ImageStore, slept: list[float]
) -> None:
    vote(store, pictures, 1)
    publisher = Publisher(store, pictures, URL, after_votes=1, least_seconds=0)
    hub.limits = [120]
    assert not publisher.attempt()
    stop = threading.Event()
    worker = threading.Thread(target=publisher.run, args=(stop, 0.01))
    worker.start()
    wait_for(lambda: publisher.health.waiting == 1)
    vote(store, pictures, 2)
    wait_for(lambda: publisher.health.waiting == 2)
    assert hub.commits == 1, "it asks again only after 120 seconds"
    assert not slept
    stop.set()
    worker.join(timeout=30)
    assert store.outbox.count_unpublished() == 0, "at the end it tries nevertheless"


@pytest.mark.usefixtures("_impatient")
def test_a_silent_hub_ends_an_attempt_and_blocks_neither_votes_nor_the_end(
    hub: RepoHub, store: Store, pictures: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hypersd.arena.dataset.publish._GRACE_SECONDS", 0.1)
    hub.flowing.clear()
    vote(store, pictures, 1)
    publisher = Publisher(store, pictures, URL, after_votes=1, least_seconds=0)
    stop = threading.Event()
    worker = threading.Thread(target=publisher.run, args=(stop, 0.02))
    worker.start()
    wait_for(lambda: hub.commits >= 1)
    vote(store, pictures, 2)
    hub.flowing.set()
    stop.set()
    worker.join(timeout=30)
    assert not worker.is_alive()
    assert store.outbox.count_unpublished() == 0
