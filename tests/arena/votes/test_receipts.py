"""Receipts: opaque names of votes that reveal nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypersd.arena.votes.battle import new_id
from hypersd.arena.votes.receipts import receipt_of, vote_id_of

KEY, OTHER = b"k" * 32, b"o" * 32


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=1, max_size=64))
def test_a_receipt_leads_to_its_vote(vote: bytes, key: bytes) -> None:
    receipt = receipt_of(key, vote.hex())
    assert receipt is not None
    assert vote_id_of(key, receipt) == vote.hex()


def test_a_receipt_cannot_be_linked_to_a_vote_without_the_key() -> None:
    ids = [new_id() for _ in range(200)]
    receipts = [receipt_of(KEY, one) for one in ids]
    assert len(set(receipts)) == len(ids)
    assert not set(receipts) & set(ids)
    assert not set(receipts) & {receipt_of(OTHER, one) for one in ids}
    near = [receipt_of(KEY, f"{number:032x}") or "" for number in range(64)]
    for place in range(32):  # ids that differ in one digit have receipts that differ everywhere
        assert len({receipt[place] for receipt in near}) > 4


@pytest.mark.parametrize(
    "text", ["", "none", "g" * 32, "a" * 31, "a" * 33, "A" * 32, "pickapic0000000000000001abcdef01"]
)
def test_an_invalid_id_has_no_receipt_and_is_not_one(text: str) -> None:
    assert receipt_of(KEY, text) is None
    assert vote_id_of(KEY, text) is None
