"""Accounting of the benchmarks."""

from __future__ import annotations

from benchmarks.accounting import Account, account, quantiles


def test_every_way_of_keeping_a_vote_wrongly_is_counted() -> None:
    assert account("abbc", "bccd") == Account(lost=1, doubled=1, repeated=1, unheard=1)
    assert [account(*votes).sound for votes in (("ab", "ab"), ("ab", "abc"))] == [True, True]
    assert [account(*votes).sound for votes in (("ab", "a"), ("ab", "abb"), ("abb", "ab"))] == [False] * 3


def test_percentiles_lie_between_the_values() -> None:
    assert quantiles([float(value) for value in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert quantiles([3.0, 3.0]) == {"p50": 3.0, "p95": 3.0, "p99": 3.0}
    assert quantiles([1.0]) == {}
