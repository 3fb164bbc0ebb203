"""Leases of the pairs that workers are drawing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "leases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("worker", sa.String(length=32), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("study", sa.String(length=80), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("prompt_set", sa.String(length=80), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.String(length=120), nullable=False),
        sa.Column("second", sa.String(length=120), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("gold", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leases"),
    )


def downgrade() -> None:
    """Revert the migration."""
    op.drop_table("leases")
