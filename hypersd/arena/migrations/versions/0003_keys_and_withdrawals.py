"""The key for voters' pseudonyms, and withdrawn votes; pairs of two identical pictures are no longer shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_PAIRS = sa.table("pairs", sa.column("id", sa.String), sa.column("entries", sa.JSON), sa.column("served", sa.Integer))
_SHOWN_TO_NOBODY = -1
_AT_ONCE = 1000


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "keys",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_keys"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("vote_id", sa.String(length=32), nullable=False),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["votes.id"], name="fk_withdrawals_vote_id"),
        sa.PrimaryKeyConstraint("vote_id", name="pk_withdrawals"),
    )
    op.create_index("ix_withdrawals_withdrawn", "withdrawals", ["withdrawn"])
    _withdraw_identical(op.get_bind())


def _withdraw_identical(connection: sa.Connection) -> None:
    """Withdraw pairs whose two pictures have the same bytes."""
    rows = connection.execute(sa.select(_PAIRS.c.id, _PAIRS.c.entries).where(_PAIRS.c.served >= 0)).all()
    identical = [row.id for row in rows if row.entries[0]["picture"] == row.entries[1]["picture"]]
    for start in range(0, len(identical), _AT_ONCE):
        some = identical[start : start + _AT_ONCE]
        connection.execute(sa.update(_PAIRS).where(_PAIRS.c.id.in_(some)).values(served=_SHOWN_TO_NOBODY))


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_withdrawals_withdrawn", "withdrawals")
    op.drop_table("withdrawals")
    op.drop_table("keys")
