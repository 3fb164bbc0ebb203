"""Withdrawals: only of the last vote, stored beside the vote, and excluded wherever votes count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hypersd.arena.dataset.export import export
from hypersd.arena.dataset.importing import import_votes, read_votes
from hypersd.arena.dataset.publish import Publisher, restore
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.studies import Comparison, Study
from hypersd.arena.service.study_progress import StudyProgressCounter
from hypersd.arena.service.vote_rules import VoteRejected
from hypersd.arena.store.store import Store
from hypersd.arena.store.tables import SHARDS
from hypersd.arena.votes.battle import Battle, Vote
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.votes.quality import clean
from tests.arena.conftest import Clock, pair
from tests.arena.service.test_battles import fill, vote
from tests.arena.voted import fresh
from tests.arena.voted import vote as voted

Services = Callable[..., BattleService]


def test_the_last_vote_is_withdrawn_and_stays_in_the_store(store: Store, service_of: Services) -> None:
    fill(store, 3)
    service = service_of()
    first, last = vote(service), vote(service)
    with pytest.raises(VoteRejected, match="only before the next one"):
        service.undo(first.id, "ann")
    taken = service.undo(last.id, "ann")
    assert taken.withdrawn == service.clock()
    kept = list(store.votes())
    assert [one.withdrawn for one in kept] == [None, taken.withdrawn]
    assert [one.choice for one in kept] == ["left", "left"], "the vote is unchanged"
    assert clean(kept).reasons == {"withdrawn": 1}
    assert compute_leaderboard(kept).kept == 1
    assert (store.count_of("ann"), store.count_votes(), store.withdrawals.count()) == (1, 2, 1)


def test_only_the_voter_can_undo_and_only_before_the_next_vote(store: Store, service_of: Services) -> None:
    fill(store, 4)
    service = service_of()
    battle = vote(service)
    vote(service, "ben")
    with pytest.raises(VoteRejected, match="no vote of yours"):
        service.undo(battle.id, "ben")
    with pytest.raises(VoteRejected, match="no vote of yours"):
        service.undo("0" * 32, "ann")
    service.undo(battle.id, "ann")
    service.undo(battle.id, "ann")  # a second click changes nothing
    assert store.withdrawals.count() == 1
    vote(service)
    with pytest.raises(VoteRejected, match="only before the next one"):
        service.undo(battle.id, "ann")
    with pytest.raises(VoteRejected, match="took this vote back"):
        service.answer(battle.id, "ann", "left")


def test_a_pair_with_revealed_names_is_not_shown_again(store: Store, service_of: Services) -> None:
    fill(store, 2)
    service = service_of(repeat_share=1.0, repeat_after=0)
    battle = vote(service)
    service.undo(battle.id, "ann")
    following = service.next_battle("ann")
    assert following is not None
    assert (following.pair.id != battle.pair.id, following.purpose) == (True, "open")
    with pytest.raises(Exception, match=r"^$"):  # DuplicateVote
        service.vote(battle.id, "ann", "right")


def test_a_check_cannot_be_passed_by_undoing_it(store: Store, service_of: Services) -> None:
    fill(store, 1, gold=0)
    service = service_of(first_gold=1)
    battle = vote(service, choice="right")
    with pytest.raises(VoteRejected, match="was a check"):
        service.undo(battle.id, "ann")


def test_a_pair_whose_only_vote_was_withdrawn_returns_to_the_pool(
    store: Store, service_of: Services, clock: Clock
) -> None:
    fill(store, 1)
    service = service_of()
    service.undo(vote(service).id, "ann")
    clock.move(hours=1)
    assert store.pairs.release(clock()) == 1
    assert store.pairs.pool_size(None) == 1


def test_a_withdrawal_is_published_after_its_vote_and_read_back(
    store: Store, pictures: ImageStore, tmp_path: Path
) -> None:
    vote = voted(store, pictures, 1)
    voted(store, pictures, 2, voter="ben")
    publisher = Publisher(store, pictures, str(tmp_path / "published"))
    assert publisher.attempt()
    assert store.withdrawals.add(vote, vote.voted + timedelta(seconds=3))
    assert store.outbox.count_unpublished() == 1
    assert publisher.attempt()
    read = {one.id: one for one in read_votes(tmp_path / "published")}
    assert len(read) == 2
    other, folder = fresh(tmp_path, "other")
    assert restore(other, folder, str(tmp_path / "published")) == 2
    for votes in (read, {one.id: one for one in other.votes()}):
        assert votes[vote.id].withdrawn == vote.voted + timedelta(seconds=3)
        assert clean(votes.values()).reasons == {"withdrawn": 1}
    other.engine.dispose()


def test_a_vote_withdrawn_during_publishing_is_published_again(store: Store, pictures: ImageStore) -> None:
    vote = voted(store, pictures, 1)
    [sent] = store.outbox.unpublished(10)
    store.withdrawals.add(vote, vote.voted)
    store.outbox.published("shard", [sent])
    assert store.outbox.count_unpublished() == 1


def test_exports_leave_out_or_mark_withdrawn_votes(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    vote, kept = voted(store, pictures, 1), voted(store, pictures, 2, voter="ben")
    store.withdrawals.add(vote, vote.voted)
    export(store.votes(), pictures, "preference", tmp_path / "preference")
    prompts = {row["prompt"] for row in rows(tmp_path / "preference")}
    assert prompts == {kept.battle.pair.prompt}
    export(store.votes(), pictures, "arena", tmp_path / "arena")
    by_key = {row["vote_id"]: (row["dropped"], row["withdrawn"]) for row in rows(tmp_path / "arena")}
    assert by_key == {vote.id: ("withdrawn", vote.voted), kept.id: (None, None)}
    other, folder = fresh(tmp_path, "other")
    import_votes(tmp_path / "arena", other, folder)
    assert clean(other.votes()).reasons == {"withdrawn": 1}
    other.engine.dispose()


def test_an_export_of_an_earlier_release_is_read(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    vote = voted(store, pictures, 1)
    done = export(store.votes(), pictures, "arena", tmp_path / "arena")
    for file in done.files:
        table = pq.read_table(file)
        pq.write_table(table.drop_columns(["withdrawn"]), file)
    assert read_votes(tmp_path / "arena") == [vote]


def test_a_study_s_count_excludes_withdrawn_votes(store: Store) -> None:
    given = pair(study="s")
    ours, rival = (one.contestant for one in given.entries)
    study = Study(
        name="s",
        title="A study",
        prompts="emoji-v1",
        votes=3,
        ties=False,
        comparisons=(Comparison(ours=ours, rival=rival, paper=None),),
    )
    counting = StudyProgressCounter(store)
    moment = given.created - timedelta(hours=2)
    battle = Battle(pair=given, swapped=False, voter="ann", kind="human", expires=moment)
    vote = Vote(battle=battle, choice="left", voted=moment)
    store.pairs.add(given)
    store.battles.add(battle)
    store.add_vote(vote)
    assert counting.progress(study).given == 1
    store.withdrawals.add(vote, given.created + timedelta(minutes=5))
    assert counting.progress(study).given == 0
    assert StudyProgressCounter(store).progress(study).given == 0


def rows(folder: Path) -> list[dict[str, object]]:
    return [row for file in folder.glob("*.parquet") for row in pq.read_table(file).to_pylist()]


def test_a_withdrawal_removes_only_the_records_of_its_vote(store: Store, pictures: ImageStore) -> None:
    vote, other = voted(store, pictures, 1), voted(store, pictures, 2, voter="ben")
    store.outbox.published("shard", [vote, other])
    store.withdrawals.add(vote, vote.voted)
    with store.engine.connect() as connection:
        assert [row.vote_id for row in connection.execute(SHARDS.select())] == [other.id]
