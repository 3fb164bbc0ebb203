"""Battles: the choice of the next one, and the votes that are accepted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.vote_rules import VoteRejected
from hypersd.arena.store.pairs import Pairs
from hypersd.arena.store.store import DuplicateVote, Store
from hypersd.arena.votes.battle import CHOICES, Battle, CheckResult, Client
from tests.arena.conftest import Clock, Postgres, pair

Services = Callable[..., BattleService]


def fill(store: Store, count: int, **changes: Any) -> None:
    for seed in range(count):
        store.pairs.add(pair(seed=seed, **changes))


def vote(service: BattleService, voter: str = "ann", choice: str = "left") -> Battle:
    """Get a battle, show it and vote on it."""
    battle = service.next_battle(voter)
    assert battle is not None
    service.mark_shown(battle.id, voter)
    service.vote(battle.id, voter, choice, Client(decision_ms=1500, input="key"))
    if isinstance(service.clock, Clock):
        service.clock.move(seconds=2)
    return battle


def test_a_reloaded_page_gets_the_same_battle(store: Store, service_of: Services) -> None:
    fill(store, 3)
    service = service_of()
    first = service.next_battle("ann")
    assert first is not None
    assert service.next_battle("ann") == first
    second = service.next_battle("ann", exclude=first.id)
    assert second is not None
    assert second.id != first.id
    assert service.next_battle("ann", exclude=first.id) == second
    assert second.pair != first.pair


def test_nobody_votes_twice_on_a_pair_and_an_empty_pool_gives_none(store: Store, service_of: Services) -> None:
    fill(store, 4)
    service = service_of()
    seen = {vote(service).pair.id for _ in range(4)}
    assert len(seen) == 4
    assert service.next_battle("ann") is None
    assert vote(service, "ben").pair.id in seen, "pairs that others have seen are better than none"


def test_a_second_vote_is_a_duplicate(store: Store, service_of: Services) -> None:
    fill(store, 1)
    service = service_of()
    battle = vote(service)
    with pytest.raises(DuplicateVote):
        service.vote(battle.id, "ann", "right")
    assert [one.choice for one in store.votes()] == ["left"]


def test_invalid_votes_are_rejected_with_a_message(store: Store, service_of: Services, clock: Clock) -> None:
    fill(store, 1)
    service = service_of()
    battle = service.next_battle("ann")
    assert battle is not None
    for battle_id, voter, choice, words in (
        (battle.id, "ann", "left", "not been shown"),
        (battle.id, "ben", "left", "not yours"),
        ("0" * 32, "ann", "left", "not yours"),
        (battle.id, "ann", "middle", "not a choice"),
    ):
        with pytest.raises(VoteRejected, match=words):
            service.vote(battle_id, voter, choice)
    service.mark_shown(battle.id, "ann")
    clock.move(hours=1)
    with pytest.raises(VoteRejected, match="expired"):
        service.vote(battle.id, "ann", "left")
    assert store.count_votes() == 0


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_is_stored_unchanged(store: Store, service_of: Services, choice: str) -> None:
    fill(store, 1)
    vote(service_of(), choice=choice)
    [kept] = store.votes()
    assert kept.choice == choice
    assert kept.client == Client(decision_ms=1500, input="key")


def test_the_question_about_time_comes_after_the_vote(store: Store, service_of: Services) -> None:
    fill(store, 1)
    service = service_of()
    battle = service.next_battle("ann")
    assert battle is not None
    with pytest.raises(VoteRejected, match="vote first"):
        service.answer(battle.id, "ann", "left")
    service.mark_shown(battle.id, "ann")
    service.vote(battle.id, "ann", "left")
    with pytest.raises(VoteRejected, match="vote first"):
        service.answer(battle.id, "ben", "left")
    service.answer(battle.id, "ann", "right")
    [kept] = store.votes()
    assert (kept.choice, kept.knowing_time) == ("left", "right")


def test_a_voter_who_votes_faster_than_people_do_has_to_wait(store: Store, service_of: Services, clock: Clock) -> None:
    fill(store, 5)
    service = service_of(votes_a_minute=3)
    for _ in range(3):
        vote(service)
    with pytest.raises(VoteRejected, match="rest your eyes"):
        service.next_battle("ann")
    vote(service, "ben")
    clock.move(minutes=2)
    vote(service)


def test_sides_are_balanced(store: Store, service_of: Services) -> None:
    fill(store, 1)
    service = service_of(overlap_share=1.0)
    swapped = Counter(vote(service, f"voter-{number}").swapped for number in range(60))
    assert 18 <= swapped[True] <= 42


def test_a_gold_pair_comes_within_the_first_rounds(store: Store, service_of: Services) -> None:
    fill(store, 12)
    fill(store, 2, gold=0)
    service = service_of(first_gold=10)
    purposes = [vote(service).purpose for _ in range(10)]
    assert purposes == ["open"] * 9 + ["gold"]


def test_a_gold_pair_comes_within_the_first_rounds_of_a_page_that_fetches_ahead(
    store: Store, service_of: Services
) -> None:
    fill(store, 20)
    fill(store, 2, gold=0)
    service = service_of(first_gold=10)
    seen = [service.next_battle("ann")]
    while len(seen) <= 10:
        current = seen[-1]
        assert current is not None
        service.mark_shown(current.id, "ann")
        seen.append(service.next_battle("ann", exclude=current.id))
        service.vote(current.id, "ann", "left")
    assert [battle.purpose for battle in seen[:10] if battle].count("gold") == 1


def test_the_first_gold_pair_comes_as_soon_as_there_is_one(store: Store, service_of: Services) -> None:
    fill(store, 20)
    service = service_of(first_gold=3)
    assert [vote(service).purpose for _ in range(5)] == ["open"] * 5
    fill(store, 2, gold=0)
    assert [vote(service).purpose for _ in range(3)] == ["gold", "open", "open"], "and others only by their share"


def test_gold_pairs_have_their_share(store: Store, service_of: Services) -> None:
    fill(store, 200)
    fill(store, 50, gold=0)
    service = service_of(gold_share=0.2, votes_a_minute=10**6)
    purposes = Counter(vote(service).purpose for _ in range(150))
    assert 15 <= purposes["gold"] <= 45
    assert purposes["gold"] + purposes["open"] == 150


def test_old_pairs_are_repeated_with_sides_swapped(store: Store, service_of: Services) -> None:
    fill(store, 12)
    service = service_of(repeat_share=1.0, repeat_after=4)
    rounds = [vote(service) for _ in range(12)]
    repeats = [(index, battle) for index, battle in enumerate(rounds) if battle.purpose == "repeat"]
    assert len(repeats) >= 3
    by_id = {battle.id: index for index, battle in enumerate(rounds)}
    for index, battle in repeats:
        earlier = rounds[by_id[str(battle.repeat_of)]]
        assert earlier.purpose == "open"
        assert index - by_id[earlier.id] > 4
        assert (earlier.pair, earlier.swapped) == (battle.pair, not battle.swapped)
    assert len({battle.repeat_of for _, battle in repeats}) == len(repeats), "each is repeated once"


def test_overlap_lets_several_voters_judge_one_pair(store: Store, service_of: Services) -> None:
    fill(store, 20)
    often, never = service_of(overlap_share=1.0), service_of(overlap_share=0.0)
    first = vote(never, "ann").pair
    assert vote(often, "ben").pair == first
    assert vote(never, "cyd").pair != first


def test_repeats_begin_after_fifteen_other_pairs(store: Store, service_of: Services) -> None:
    fill(store, 30)
    service = service_of(repeat_share=1.0)
    purposes = [vote(service, choice="skip" if number < 2 else "left").purpose for number in range(20)]
    assert purposes[:18] == ["open"] * 18, "skipped battles are not repeated"
    assert purposes[18:] == ["repeat"] * 2


def test_simulated_voters_use_the_same_service_and_are_marked(store: Store, service_of: Services) -> None:
    fill(store, 1)
    service = service_of()
    battle = service.next_battle("robot", "simulated")
    assert battle is not None
    service.mark_shown(battle.id, "robot")
    service.vote(battle.id, "robot", "tie")
    assert [one.battle.kind for one in store.votes()] == ["simulated"]


def test_results_of_checks_are_stored_with_the_vote(store: Store, clock: Clock) -> None:
    fill(store, 1)

    def unreachable(voter: str) -> CheckResult:
        return "unavailable"

    service = BattleService(store, checks={"captcha": unreachable}, clock=clock)
    vote(service)
    assert [dict(one.gates) for one in store.votes()] == [{"captcha": "unavailable"}]


def test_a_failing_check_loses_no_vote(store: Store, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    fill(store, 1)

    def broken(voter: str) -> CheckResult:
        raise TimeoutError

    def strict(voter: str) -> CheckResult:
        return "failed"

    vote(BattleService(store, checks={"captcha": broken, "address": strict}, clock=clock))
    assert [dict(one.gates) for one in store.votes()] == [{"captcha": "unavailable", "address": "failed"}]
    assert "the check captcha failed" in caplog.text


def test_a_second_battle_of_one_voter_is_never_the_same_pair(store: Store, service_of: Services) -> None:
    """A page that is open twice, or asks twice at once."""
    fill(store, 20)
    with ThreadPoolExecutor(8) as threads:
        drawn = list(threads.map(lambda seed: service_of(seed=seed).next_battle("ann"), range(8)))
    by_battle = {battle.id: battle.pair.id for battle in drawn if battle}
    assert len(set(by_battle.values())) == len(by_battle)


def test_concurrent_clicks_give_one_vote(store: Store, service_of: Services) -> None:
    fill(store, 1)
    service = service_of()
    battle = service.next_battle("ann")
    assert battle is not None
    service.mark_shown(battle.id, "ann")

    def click(choice: str) -> str:
        try:
            return service.vote(battle.id, "ann", choice).id
        except DuplicateVote:
            return ""

    with ThreadPoolExecutor(12) as threads:
        taken = [vote for vote in threads.map(click, ["left", "right", "tie"] * 8) if vote]
    assert taken == [vote.id for vote in store.votes()]
    assert len(taken) == 1


def test_a_vote_and_the_battles_after_it_are_one_transaction(store: Store, service_of: Services, clock: Clock) -> None:
    fill(store, 4)
    service = service_of()
    first = service.next_battle("ann")
    assert first is not None
    service.mark_shown(first.id, "ann")
    second = service.next_battle("ann", exclude=first.id)
    assert second is not None
    clock.move(seconds=2)
    done = service.vote_and_advance(first.id, "ann", "left", Client(decision_ms=1500), shown=second.id, study=None)
    assert (list(store.votes()), done.votes, done.shown) == ([done.vote], 1, True)
    shown = store.battles.get(second.id)
    assert shown is not None
    assert shown.shown == clock()
    assert done.ahead is not None
    assert service.next_battle("ann", exclude=second.id) == done.ahead, "it waits for the voter"
    assert len({first.pair.id, second.pair.id, done.ahead.pair.id}) == 3
    before = store.pairs.pool_size(None)
    with pytest.raises(DuplicateVote):
        service.vote_and_advance(first.id, "ann", "tie", Client(), shown=done.ahead.id, study=None)
    ahead = store.battles.get(done.ahead.id)
    assert ahead is not None
    assert (ahead.shown, store.pairs.pool_size(None)) == (None, before), "a refused vote changes nothing"
    stranger = service.next_battle("ben")
    assert stranger is not None
    forged = service.vote_and_advance(second.id, "ann", "tie", Client(), shown=stranger.id, study=None)
    assert (forged.shown, forged.ahead) == (False, done.ahead), "and the battle that waits is not handed out twice"
    strangers_battle = store.battles.get(stranger.id)
    assert strangers_battle is not None
    assert strangers_battle.shown is None, "nobody shows another voter's battle"


def test_what_prevents_the_next_battle_prevents_no_vote(
    store: Store, service_of: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 3)
    service = service_of(votes_a_minute=1)
    first = service.next_battle("ann")
    assert first is not None
    service.mark_shown(first.id, "ann")
    limited = service.vote_and_advance(first.id, "ann", "left", Client(), shown="", study=None)
    assert limited.ahead is None, "the voter has to rest now"
    clock.move(minutes=2)
    second = service.next_battle("ann")
    assert second is not None
    service.mark_shown(second.id, "ann")
    generous = service_of(votes_a_minute=9)
    third = pair()
    store.pairs.add(third)

    def away(*_: object, **__: object) -> None:
        raise OSError("the database is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Pairs, "candidate", away)
        assert generous.vote_and_advance(second.id, "ann", "left", Client(), shown="", study=None).ahead is None
    assert store.count_votes() == 2


def test_votes_a_day_are_limited(store: Store, service_of: Services, clock: Clock) -> None:
    fill(store, 5)
    service = service_of(votes_a_day=3)
    for _ in range(3):
        vote(service)
    clock.move(hours=2)
    with pytest.raises(VoteRejected, match="tomorrow"):
        service.next_battle("ann")
    clock.move(hours=24)
    vote(service)


def test_a_vote_beyond_the_limit_is_rejected_even_for_an_earlier_battle(
    store: Store, service_of: Services, clock: Clock
) -> None:
    fill(store, 5)
    service = service_of(votes_a_minute=1)
    first = service.next_battle("ann")
    assert first is not None
    second = service.next_battle("ann", exclude=first.id)
    assert second is not None
    for battle in (first, second):
        service.mark_shown(battle.id, "ann")
    service.vote(first.id, "ann", "left")
    with pytest.raises(VoteRejected, match="rest your eyes"):
        service.vote(second.id, "ann", "left")
    clock.move(seconds=61)
    service.vote(second.id, "ann", "left")
    assert store.count_votes() == 2


def test_the_first_showing_is_recorded(store: Store, service_of: Services, clock: Clock) -> None:
    fill(store, 1)
    service = service_of()
    battle = service.next_battle("ann")
    assert battle is not None
    assert battle.shown is None
    first = clock()
    service.mark_shown(battle.id, "ann")
    clock.move(seconds=5)
    service.mark_shown(battle.id, "ann")
    shown = store.battles.get(battle.id)
    assert shown is not None
    assert shown.shown == first
    with pytest.raises(VoteRejected, match="not yours"):
        service.mark_shown(battle.id, "ben")


def test_an_own_pair_belongs_to_its_voter_and_waits_like_any_other(store: Store, service_of: Services) -> None:
    fill(store, 1)
    service = service_of(overlap_share=1.0)
    mine = service.custom_battle(pair(owner="ann", prompt_set="own"), "ann")
    assert service.next_battle("ann") == mine
    assert vote(service, "ann") == mine
    others = [vote(service, "ben").pair.id, service.next_battle("ben")]
    assert mine.pair.id not in others


def test_studies_and_the_open_arena_do_not_mix(store: Store, service_of: Services) -> None:
    fill(store, 1)
    fill(store, 1, study="s")
    service = service_of()
    battles = [service.next_battle("ann", study=study) for study in (None, "s")]
    assert [battle.pair.study for battle in battles if battle] == [None, "s"]
    assert [service.next_battle("ann", study=study) for study in (None, "s")] == battles


def test_a_gold_pair_of_a_study_is_shown_in_that_study(store: Store, service_of: Services) -> None:
    for study in (None, "s"):
        fill(store, 3, study=study)
        fill(store, 1, study=study, gold=0)
    service = service_of(first_gold=1)
    battle = service.next_battle("ann", study="s")
    assert battle is not None
    assert (battle.purpose, battle.pair.study) == ("gold", "s")


@pytest.mark.parametrize("choice", CHOICES)
def test_a_forced_choice_rejects_ties_and_both_bad(store: Store, clock: Clock, choice: str) -> None:
    fill(store, 1, study="forced")
    fill(store, 1, study="free")
    fill(store, 1)
    service = BattleService(store, clock=clock, choices={"forced": ("left", "right", "skip")})
    kept = []
    for study in ("forced", "free", None):
        battle = service.next_battle("ann", study=study)
        assert battle is not None
        service.mark_shown(battle.id, "ann")
        if study == "forced" and choice in {"tie", "both_bad"}:
            with pytest.raises(VoteRejected, match="must choose one"):
                service.vote(battle.id, "ann", choice)
            assert service.next_battle("ann", study=study) is not None, "it waits for another vote"
        else:
            service.vote(battle.id, "ann", choice)
            kept.append(study)
    assert {one.battle.pair.study for one in store.votes()} == set(kept)
    assert len(kept) == (2 if choice in {"tie", "both_bad"} else 3)


def test_many_voters_at_once_get_a_fresh_pair_each(store: Store, service_of: Services) -> None:
    fill(store, 16)
    battles: list[Battle | None] = []

    def draw(voter: str) -> None:
        battles.append(service_of(seed=len(battles)).next_battle(voter))

    threads = [threading.Thread(target=draw, args=(f"voter-{number}",)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({battle.pair.id for battle in battles if battle}) == 16


def test_a_battle_expires(store: Store, service_of: Services, clock: Clock) -> None:
    fill(store, 2)
    service = service_of(lifetime=timedelta(minutes=1))
    first = service.next_battle("ann")
    clock.move(minutes=2)
    second = service.next_battle("ann")
    assert first is not None
    assert second is not None
    assert second.pair != first.pair


def test_a_battle_is_not_handed_out_again_shortly_before_it_expires(
    store: Store, service_of: Services, clock: Clock
) -> None:
    fill(store, 2)
    service = service_of(lifetime=timedelta(minutes=20))
    first = service.next_battle("ann")
    clock.move(minutes=14)
    assert service.next_battle("ann") == first
    clock.move(minutes=2)
    second = service.next_battle("ann")
    assert first is not None
    assert second is not None
    assert second.pair != first.pair
    service.mark_shown(first.id, "ann")
    service.vote(first.id, "ann", "left")  # a voter who looks at it may still vote


def test_the_service_reports_a_lost_database_and_recovers(postgres: Postgres) -> None:
    store = Store(postgres.database("desk_away"))
    fill(store, 2)
    service = BattleService(store)
    battle = service.next_battle("ann")
    assert battle is not None
    service.mark_shown(battle.id, "ann")
    postgres.stop()
    start = time.monotonic()
    try:
        for call in (lambda: service.next_battle("ben"), lambda: service.vote(battle.id, "ann", "left")):
            with pytest.raises(SQLAlchemyError):
                call()
    finally:
        postgres.start()
    assert time.monotonic() - start < 15
    again = service.next_battle("ann")
    assert again is not None
    assert again.id == battle.id
    service.mark_shown(battle.id, "ann")
    service.vote(battle.id, "ann", "left")
    assert store.count_votes() == 1
    store.engine.dispose()
