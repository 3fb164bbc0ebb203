"""The key for voters' pseudonyms: stored with their votes, or set in the environment. It is never logged."""

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
    """A key for voters' pseudonyms.

    Args:
        secret: the key itself.
        since: time from which it is used; earlier votes have another key.
    """

    secret: bytes = field(repr=False)
    since: datetime


def voter_key(engine: Engine, secret: str = "", file: Path | None = None) -> VoterKey:
    """Return the key of a store: the one that is set, the store's own, that of an earlier release's file, or a new one.

    A new key is stored in the database, so that replicas share it and a lost data folder does not lose it. Of a key
    from the environment only a fingerprint is stored, to detect a change. Replicas that start together on an empty
    store get the same key.

    Args:
        engine: of the store.
        secret: the key from the environment (`HYPERSD_SECRET`); empty if not set.
        file: where earlier releases stored their key.

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
        log.warning("the key in %s is not the key of this store; the store's own key is used", file)
    return VoterKey(secret=bytes.fromhex(row.secret), since=row.since)


def voters_of_other_keys(engine: Engine, key: VoterKey) -> int:
    """Return the number of voters whose votes are older than this key: under another key, or on another machine."""
    voted = VOTES.join(BATTLES, BATTLES.c.id == VOTES.c.battle_id).join(PAIRS, PAIRS.c.id == BATTLES.c.pair_id)
    here = PAIRS.c.study.is_(None) | (PAIRS.c.study != STUDY)  # voters of that data set are numbers, not pseudonyms
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
        log.warning("%s is not a key: it has %d bytes instead of %d; it is not used", file, len(secret), _BYTES)
        return None
    return secret


def _add(connection: Connection, name: str, secret: str | None, since: datetime) -> None:
    row = {"name": name, "secret": secret, "since": since}
    connection.execute(INSERTS[connection.dialect.name](KEYS).values(row).on_conflict_do_nothing())
