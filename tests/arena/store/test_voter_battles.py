"""The battles of a store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import timedelta

from hypersd.arena.store.store import Store
from hypersd.arena.store.voter_battles import VoterActivity
from hypersd.arena.votes.battle import Battle, Vote, now
from tests.arena.conftest import pair, shown


def test_a_fresh_pair_is_claimed_once(store: Store) -> None:
    given = pair()
    store.pairs.add(given)
    assert store.pairs.pool_size(None) == 1
    wins: list[bool] = []

    def claim(voter: str) -> None:
        battle = Battle(pair=given, swapped=False, voter=voter, kind="human", expires=now())
        wins.append(store.battles.claim(battle))

    threads = [threading.Thread(target=claim, args=(f"voter-{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 7 + [True]
    assert store.pairs.pool_size(None) == 0


def test_a_voters_activity_is_counted_apart_from_others(store: Store) -> None:
    given, moment = pair(), now()
    store.pairs.add(given)
    voted, waiting, gold = (shown(store, given, purpose=purpose) for purpose in ("open", "open", "gold"))
    shown(store, given, "ben", purpose="repeat")
    store.add_vote(Vote(battle=voted, choice="skip", voted=moment - timedelta(hours=1)))
    since = {"minute": moment - timedelta(minutes=1), "day": moment - timedelta(days=1)}
    known = store.battles.activity("ann", **since, moment=moment)
    assert known == VoterActivity(minute=0, day=1, votes=1, battles=3, gold=1, waiting=2)
    assert store.battles.activity("ann", **since, moment=moment, besides=waiting.id).waiting == 1
    assert store.battles.activity("ann", **since, moment=gold.expires).waiting == 0, "they expire before"
    assert store.battles.activity("cyd", **since, moment=moment) == VoterActivity(0, 0, 0, 0, 0, 0)


def test_battle_status_tells_if_there_is_a_vote(store: Store) -> None:
    given = pair()
    store.pairs.add(given)
    battle, other = shown(store, given), shown(store, given, "ben")
    assert store.battles.status(battle.id) == (battle, False)
    store.add_vote(Vote(battle=battle, choice="skip"))
    assert store.battles.status(battle.id) == (battle, True)
    assert store.battles.status(other.id) == (other, False), "a vote of another battle on the same pair does not count"
    assert store.battles.status("0" * 32) is None
