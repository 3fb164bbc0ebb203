"""The key by which voters are named: kept with their votes, or set from outside. It is never logged."""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select

from hypersd.arena.dataset.pickapic import STUDY
from hypersd.arena.store.database import INSERTS, reading, writing
from hypersd.arena.store.tables import BATTLES, KEYS, PAIRS, VOTES
from hypersd.arena.votes.battle import now

log = logging.getLogger(__name__)

_GENERATED = "generated"
_BYTES = 32
_LEAST_BYTES = 16
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoterKey:
    """A key for the names of voters.

    Args:
        secret: the key itself.
        since: votes that were given before this moment were given under another key.
    """

    secret: bytes = field(repr=False)
    since: datetime


def voter_key(engine: Engine, secret: str = "", file: Path | None = None) -> VoterKey:
    """Return the key of a store: the one that is set, the store's own, that of a former version's file, or a new one.

    A new key is kept in the store, so that replicas share it and a lost data folder changes nothing. Of a key that is
    set from outside only a fingerprint is kept there, by which another one is noticed. Replicas that start together
    on an empty store get one key.

    Args:
        engine: of the store.
        secret: the key that is set from outside (`HYPERSD_SECRET`); empty means that none is.
        file: where former versions kept their key.

    Raises:
        OSError: the file is there, but cannot be read.
    """
    kept = _from_file(file)
    with writing(engine) as connection:
        if kept:
            _add(connection, _GENERATED, kept.hex(), _ALWAYS)
        if secret:
            return _given(connection, secret.encode())
        _add(connection, _GENERATED, secrets.token_hex(_BYTES), now())
        row = connection.execute(select(KEYS).where(KEYS.c.name == _GENERATED)).one()
    if kept and row.secret != kept.hex():
        log.warning("%s is not the key of this store: the store's own key names its voters", file)
    return VoterKey(secret=bytes.fromhex(row.secret), since=row.since)


def voters_of_other_keys(engine: Engine, key: VoterKey) -> int:
    """Return how many people voted here before this key came into use: under another key, or somewhere else."""
    voted = VOTES.join(BATTLES, BATTLES.c.id == VOTES.c.battle_id).join(PAIRS, PAIRS.c.id == BATTLES.c.pair_id)
    here = PAIRS.c.study.is_(None) | (PAIRS.c.study != STUDY)  # voters of that data set are named by numbers
    count = select(func.count(BATTLES.c.voter.distinct())).select_from(voted)
    with reading(engine) as connection:
        query = count.where(VOTES.c.voted < key.since, BATTLES.c.kind == "human", here)
        return connection.scalar(query) or 0


def _given(connection: Connection, secret: bytes) -> VoterKey:
    name = f"given-{hmac.new(secret, b'fingerprint', sha256).hexdigest()}"
    first = connection.scalar(select(func.count()).select_from(KEYS)) == 0
    _add(connection, name, None, _ALWAYS if first else now())
    since = connection.execute(select(KEYS.c.since).where(KEYS.c.name == name)).scalar_one()
    return VoterKey(secret=secret, since=since)


def _from_file(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        secret = file.read_bytes()
    except FileNotFoundError:
        return None
    if len(secret) < _LEAST_BYTES:
        log.warning("%s is no key: it has %d bytes, where a key has %d; it is not used", file, len(secret), _BYTES)
        return None
    return secret


def _add(connection: Connection, name: str, secret: str | None, since: datetime) -> None:
    row = {"name": name, "secret": secret, "since": since}
    connection.execute(INSERTS[connection.dialect.name](KEYS).values(row).on_conflict_do_nothing())
