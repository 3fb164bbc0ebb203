"""Indexes that find the next pair, and a voter's repeated pairs, without a scan of all rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_QUEUES = {"ix_pairs_open": "owner IS NULL AND gold IS NULL", "ix_pairs_gold": "gold IS NOT NULL"}


def upgrade() -> None:
    """Apply the migration."""
    op.drop_index("ix_pairs_served_study", "pairs")
    for name, condition in _QUEUES.items():
        where = sa.text(condition)
        op.create_index(name, "pairs", ["served", "created"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_battles_repeat_of", "battles", ["repeat_of"])


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_battles_repeat_of", "battles")
    for name in _QUEUES:
        op.drop_index(name, "pairs")
    op.create_index("ix_pairs_served_study", "pairs", ["served", "study"])
