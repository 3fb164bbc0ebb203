"""Receipts: opaque names of votes, with which a voter can check whether their vote is stored.

A vote's id is published beside its voter's pseudonym. A receipt that is shared must not reveal it, so the receipt is
the encrypted id. This needs no storage and survives a restart of the machine.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256

_ROUNDS = 4
_HALF = 8
_ID = re.compile(r"[0-9a-f]{32}")


def receipt_of(secret: bytes, vote_id: str) -> str | None:
    """Return the receipt of a vote; None if it was given elsewhere, so that its id has another form."""
    if not _ID.fullmatch(vote_id):
        return None
    left, right = _halves(vote_id)
    for number in range(_ROUNDS):
        left, right = right, _mixed(secret, number, left, right)
    return (left + right).hex()


def vote_id_of(secret: bytes, receipt: str) -> str | None:
    """Return the vote id of a receipt, even if no such vote exists; None if it is not a valid receipt."""
    if not _ID.fullmatch(receipt):
        return None
    left, right = _halves(receipt)
    for number in reversed(range(_ROUNDS)):
        left, right = _mixed(secret, number, right, left), left
    return (left + right).hex()


def _halves(name: str) -> tuple[bytes, bytes]:
    both = bytes.fromhex(name)
    return both[:_HALF], both[_HALF:]


def _mixed(secret: bytes, number: int, half: bytes, key_half: bytes) -> bytes:
    """Return one round of a Feistel network: four with a pseudorandom function permute well (Luby, Rackoff 1988)."""
    digest = hmac.new(secret, b"receipt" + bytes([number]) + key_half, sha256).digest()
    return bytes(one ^ other for one, other in zip(half, digest[:_HALF], strict=True))
