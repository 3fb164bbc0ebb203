"""Quality control of votes, and the reasons of those that do not count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypersd.arena.votes.battle import CHOICES, Battle, Client, Kind, Pair, Vote
from hypersd.arena.votes.quality import QualityRules, clean, gold_score, self_agreement
from tests.arena.conftest import entry, pair

START = datetime(2026, 11, 1, tzinfo=UTC)


SAME = pair(entries=(entry("emoji/hyper@4", "one"), entry("emoji/base@25", "one")))
"""Two byte-equal pictures."""


def vote(number: int = 0, **changes: Any) -> Vote:
    """A careful vote, ten seconds after the one before; changes go to the pair, the battle or the vote."""
    shown = {name: changes.pop(name) for name in ("owner", "gold") if name in changes}
    what: Pair = changes.pop("pair", None) or pair(id=f"pair-{number}", **shown)
    named = ("voter", "kind", "purpose", "repeat_of", "swapped")
    battle = Battle(
        id=changes.pop("battle", f"battle-{changes.get('voter', 'ann')}-{number}"),
        pair=what,
        **{"swapped": False, "voter": "ann", "kind": "human", "expires": START}
        | {name: changes.pop(name) for name in named if name in changes},
    )
    moment = START + timedelta(seconds=10 * number)
    given = {"client": Client(decision_ms=2000), "choice": "left" if number % 2 else "right", "voted": moment}
    return Vote(battle=battle, **given | changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"choice": "tie"}, None),
        ({"choice": "skip"}, "skipped"),
        ({"choice": "both_bad"}, "both bad"),
        ({"choice": "both_bad", "gates": {"captcha": "failed"}}, "gate"),
        ({"choice": "both_bad", "client": Client(decision_ms=100)}, "too fast"),
        ({"owner": "ann"}, "own prompt"),
        ({"purpose": "gold", "gold": 0}, "gold pair"),
        ({"purpose": "repeat"}, "repeat"),
        ({"gates": {"captcha": "failed"}}, "gate"),
        ({"gates": {"captcha": "unavailable"}}, None),
        ({"client": Client(decision_ms=100)}, "too fast"),
        ({"client": Client(decision_ms=None)}, None),
        ({"withdrawn": START}, "withdrawn"),
        ({"withdrawn": START, "choice": "skip"}, "withdrawn"),
        ({"pair": SAME}, "identical"),
        ({"pair": SAME, "choice": "both_bad"}, "identical"),
        ({"pair": SAME, "client": Client(decision_ms=100)}, "identical"),
    ],
)
def test_each_reason_drops_a_vote(changes: dict[str, Any], reason: str | None) -> None:
    cast_vote = vote(**changes)
    cleaned = clean([cast_vote])
    assert cleaned.kept == (() if reason else (cast_vote,))
    assert cleaned.reasons == ({reason: 1} if reason else {})


def test_a_pair_counts_once_for_each_voter() -> None:
    what = pair()
    first, again, other = vote(0, pair=what), vote(1, pair=what), vote(2, pair=what, voter="ben")
    cleaned = clean([first, again, other])
    assert cleaned.kept == (first, other)
    assert cleaned.reasons == {"seen before": 1}


def test_exactly_the_votes_of_a_burst_are_dropped() -> None:
    calm = [vote(number) for number in range(5)]
    fast = [vote(100 + number, voted=START + timedelta(minutes=50, seconds=number)) for number in range(31)]
    cleaned = clean([*calm, *fast])
    assert cleaned.kept == tuple(calm)
    assert cleaned.reasons == {"burst": 31}


def test_a_one_sided_voter_is_left_out() -> None:
    cleaned = clean([vote(number, choice="left") for number in range(20)])
    assert cleaned.reasons == {"one-sided": 20}
    assert not clean([vote(number, choice="left") for number in range(19)]).dropped, "too few to judge a habit"


def test_a_hasty_voter_is_left_out() -> None:
    votes = [vote(number, client=Client(decision_ms=500)) for number in range(20)]
    assert clean(votes).reasons == {"hasty voter": 20}


def test_a_voter_who_fails_gold_pairs_is_left_out() -> None:
    wrong = [vote(number, purpose="gold", gold=0, choice="right") for number in range(3)]
    right = [vote(3 + number, purpose="gold", gold=0, choice="left") for number in range(2)]
    open_votes = [vote(10 + number) for number in range(4)]
    assert gold_score([*wrong, *right, *open_votes]) == (2, 3)
    assert clean([*wrong, *right, *open_votes]).reasons == {"gold pair": 5, "failed gold pairs": 4}
    assert len(clean([*wrong[:2], *right, *open_votes]).kept) == 4


def test_gold_pairs_are_scored_on_either_side() -> None:
    assert gold_score([vote(purpose="gold", gold=0, swapped=True, choice="right")]) == (1, 0)
    assert gold_score([vote(purpose="gold", gold=1, swapped=True, choice="right")]) == (0, 1)
    assert gold_score([vote(purpose="gold", gold=1, choice="tie")]) == (0, 0)


def test_other_rules_can_be_applied_to_the_same_votes() -> None:
    votes = [vote(number, client=Client(decision_ms=500)) for number in range(20)]
    assert len(clean(votes, QualityRules(fast_ms=400)).kept) == 20


def test_simulated_votes_never_mix_with_human_ones() -> None:
    votes = [vote(number, kind="simulated" if number % 2 else "human") for number in range(10)]
    kinds: tuple[Kind, Kind] = ("human", "simulated")
    for kind in kinds:
        cleaned = clean(votes, kind=kind)
        assert {one.battle.kind for one in (*cleaned.kept, *(dropped for dropped, _ in cleaned.dropped))} == {kind}


def test_self_agreement_compares_pictures_not_sides() -> None:
    what = pair(entries=(entry("emoji/hyper@4", "one"), entry("emoji/base@25", "other")))

    def twice(first: str, second: str, number: int) -> list[Vote]:
        shown = vote(number, pair=what, battle=f"b{number}", choice=first)
        again = vote(
            number + 1, pair=what, battle=f"b{number}-again", choice=second, swapped=True, purpose="repeat",
            repeat_of=f"b{number}",
        )  # fmt: skip
        return [shown, again]

    votes = [*twice("left", "right", 0), *twice("left", "left", 2), *twice("tie", "both_bad", 4)]
    votes += twice("left", "skip", 6)
    assert self_agreement(votes) == (2, 3)


def test_a_vote_has_the_first_reason_that_holds() -> None:
    several = vote(choice="skip", owner="ann", gates={"captcha": "failed"}, client=Client(decision_ms=100))
    assert clean([several]).reasons == {"own prompt": 1}
    hasty = [vote(number, choice="left", client=Client(decision_ms=100)) for number in range(20)]
    assert clean(hasty).reasons == {"too fast": 20}, "reasons of the vote come before reasons of its voter"


def test_the_order_in_which_votes_are_read_does_not_matter() -> None:
    what = pair()
    votes = [vote(0, pair=what), vote(1, pair=what), *(vote(number, choice="left") for number in range(2, 40))]
    cleaned, backwards = clean(votes), clean(votes[::-1])
    assert cleaned.kept == backwards.kept[::-1]
    assert cleaned.dropped == backwards.dropped[::-1]


any_vote = st.builds(
    lambda number, when, voter, choice, ms, kind, purpose, gate: replace(
        vote(number, voter=voter, choice=choice, kind=kind, purpose=purpose, gold=0 if purpose == "gold" else None),
        client=Client(decision_ms=ms),
        voted=START + timedelta(seconds=when),
        gates={"captcha": gate},
    ),
    number=st.integers(0, 60),
    when=st.integers(0, 600),
    voter=st.sampled_from(["ann", "ben"]),
    choice=st.sampled_from(CHOICES),
    ms=st.one_of(st.none(), st.integers(0, 5000)),
    kind=st.sampled_from(["human", "human", "simulated"]),
    purpose=st.sampled_from(["open", "open", "open", "gold", "repeat"]),
    gate=st.sampled_from(["ok", "ok", "failed", "unavailable"]),
)
strict = QualityRules(
    version="strict", impossible_ms=900, fast_ms=2000, burst_votes=3, one_sided_share=0.7, least_votes=4, least_gold=2
)


@given(st.lists(any_vote, max_size=60, unique_by=lambda one: one.battle.id), st.sampled_from([QualityRules(), strict]))
def test_every_vote_is_kept_or_dropped_and_others_do_not_matter(votes: list[Vote], rules: QualityRules) -> None:
    before, raw = list(votes), repr(votes)
    cleaned = clean(votes, rules)
    assert votes == before
    assert repr(votes) == raw, "no vote is changed"
    assert clean(votes, rules) == cleaned
    sorted_out = Counter(one.id for one in (*cleaned.kept, *(dropped for dropped, _ in cleaned.dropped)))
    assert sorted_out == Counter(one.id for one in votes if one.battle.kind == "human")
    assert sum(cleaned.reasons.values()) == len(cleaned.dropped)
    for voter in ("ann", "ben"):
        alone = clean([one for one in votes if one.battle.voter == voter], rules)
        assert alone.kept == tuple(one for one in cleaned.kept if one.battle.voter == voter)
        assert alone.dropped == tuple((one, why) for one, why in cleaned.dropped if one.battle.voter == voter)


honest = [vote(number, voter="eve") for number in range(30)]


@given(st.lists(any_vote, max_size=40, unique_by=lambda one: one.battle.id), st.randoms(use_true_random=False))
def test_other_voters_do_not_affect_an_honest_voters_votes(others: list[Vote], rng: Random) -> None:
    together = [*honest, *others]
    rng.shuffle(together)
    kept = {one.id for one in clean(together).kept}
    assert {one.id for one in honest} <= kept


def test_votes_are_filtered_by_study_after_all_votes_of_a_voter_were_cleaned() -> None:
    pairs = [pair(id=f"pair-{number}", study="s" if number % 2 else None) for number in range(6)]
    golds = [pair(id=f"gold-{number}", gold=0, study="s") for number in range(6)]
    good = [vote(number, pair=one) for number, one in enumerate(pairs)]
    wrong = [vote(10 + number, pair=one, purpose="gold", choice="right") for number, one in enumerate(golds)]
    cleaned = clean([*good, *wrong])
    open_, study = cleaned.within(None), cleaned.within("s")
    assert open_.kept == study.kept == ()
    assert open_.reasons == {"failed gold pairs": 3}
    assert study.reasons == {"gold pair": 6, "failed gold pairs": 3}
    assert clean(good).within("s").kept == tuple(good[1::2])
    assert clean(good).within("other").votes == ()


def test_votes_on_equal_pictures_and_withdrawn_votes_do_not_affect_quality() -> None:
    equal = pair(gold=0, entries=(entry("emoji/hyper@4", "one"), entry("emoji/hyper@4", "one")))
    wrong = [vote(number, pair=replace(equal, id=f"{number}"), purpose="gold", choice="right") for number in range(9)]
    left = [vote(number + 9, pair=replace(SAME, id=f"{number}"), choice="left") for number in range(40)]
    back = [vote(number + 50, choice="left", withdrawn=START) for number in range(40)]
    honest = vote(100)
    cleaned = clean([*wrong, *left, *back, honest])
    assert cleaned.kept == (honest,)
    assert cleaned.reasons == {"identical": 49, "withdrawn": 40}
    assert gold_score(wrong) == (0, 0)
    again = vote(101, pair=SAME, purpose="repeat", repeat_of=left[0].battle.id, choice="right")
    assert self_agreement([*left, again]) == (0, 0)
