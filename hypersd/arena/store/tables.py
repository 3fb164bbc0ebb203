"""The arena's tables. They equal the result of the newest migration; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

from hypersd.arena.votes.battle import CHOICES


class Moment(TypeDecorator[datetime]):
    """Column type of a time in UTC; SQLite stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; for SQLite drop the time zone, so that values compare correctly."""
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_ID = String(32)
WITHDRAWN = -1
"""Value of `served` for a withdrawn pair."""


def _one_of(column: str) -> str:
    return f"{column} IN ({', '.join(map(repr, CHOICES))})"


def _queue(name: str, condition: str) -> Index:
    """Index of pairs in serving order, so that finding the next one does not scan all of them."""
    where = text(condition)
    return Index(name, "served", "created", sqlite_where=where, postgresql_where=where)


PAIRS = Table(
    "pairs",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("prompt_set", String(80), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("first", String(120), nullable=False),
    Column("second", String(120), nullable=False),
    Column("entries", JSON, nullable=False),
    Column("probability", Float, nullable=False),
    Column("study", String(80)),
    Column("gold", Integer),
    Column("owner", String(24)),
    Column("device", String(120), nullable=False),
    Column("software", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    # Number of times handed out. A process claims a pair by changing this from 0 to 1, which only one replica can do.
    # It returns to 0 if nobody voted in time, and is WITHDRAWN if its pictures are lost or equal.
    Column("served", Integer, nullable=False, default=0),
    _queue("ix_pairs_open", "owner IS NULL AND gold IS NULL"),
    _queue("ix_pairs_gold", "gold IS NOT NULL"),
)
LEASES = Table(
    "leases",
    METADATA,
    # A pair that a worker is drawing. Another worker draws it once this has expired: the first one was killed.
    Column("id", _ID, primary_key=True),
    Column("worker", _ID, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("study", String(80)),
    Column("prompt", Text, nullable=False),
    Column("prompt_set", String(80), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("first", String(120), nullable=False),
    Column("second", String(120), nullable=False),
    Column("probability", Float, nullable=False),
    Column("gold", Boolean, nullable=False),
)
BATTLES = Table(
    "battles",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("pair_id", _ID, ForeignKey("pairs.id"), nullable=False, index=True),
    Column("swapped", Boolean, nullable=False),
    Column("voter", String(24), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("repeat_of", _ID, index=True),
    Column("drawn", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("shown", Moment),
    Index("ix_battles_voter_drawn", "voter", "drawn"),
)
VOTES = Table(
    "votes",
    METADATA,
    Column("id", _ID, primary_key=True),
    # One vote per battle, as a constraint, so that no race condition can add a second.
    Column("battle_id", _ID, ForeignKey("battles.id"), nullable=False, unique=True),
    Column("choice", String(12), nullable=False),
    Column("decision_ms", Integer),
    Column("input", String(12), nullable=False),
    Column("gates", JSON, nullable=False),
    Column("voted", Moment, nullable=False, index=True),
    CheckConstraint(_one_of("choice"), name="choice"),
)
ANSWERS = Table(
    "answers",
    METADATA,
    Column("battle_id", _ID, ForeignKey("battles.id"), primary_key=True),
    Column("choice", String(12), nullable=False),
    Column("answered", Moment, nullable=False),
    CheckConstraint(_one_of("choice"), name="choice"),
)
WITHDRAWALS = Table(
    "withdrawals",
    METADATA,
    Column("vote_id", _ID, ForeignKey("votes.id"), primary_key=True),
    Column("withdrawn", Moment, nullable=False, index=True),
)
BENCHED = Table(
    "benched",
    METADATA,
    Column("contestant", String(120), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", Moment, nullable=False),
)
KEYS = Table(
    "keys",
    METADATA,
    # "generated", or the fingerprint of a key from the environment; such a key itself is not stored.
    Column("name", String(80), primary_key=True),
    Column("secret", Text),
    Column("since", Moment, nullable=False),
)
SHARDS = Table(
    "shards",
    METADATA,
    Column("vote_id", _ID, ForeignKey("votes.id"), primary_key=True),
    Column("shard", String(64), nullable=False, index=True),
)
