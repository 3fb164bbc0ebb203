"""The arena's first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "benched",
        sa.Column("contestant", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("contestant", name="pk_benched"),
    )
    op.create_table(
        "pairs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("prompt_set", sa.String(length=80), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.String(length=120), nullable=False),
        sa.Column("second", sa.String(length=120), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("study", sa.String(length=80), nullable=True),
        sa.Column("gold", sa.Integer(), nullable=True),
        sa.Column("owner", sa.String(length=24), nullable=True),
        sa.Column("device", sa.String(length=120), nullable=False),
        sa.Column("software", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("served", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pairs"),
    )
    op.create_index("ix_pairs_served_study", "pairs", ["served", "study"])

    op.create_table(
        "battles",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("pair_id", sa.String(length=32), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("voter", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("repeat_of", sa.String(length=32), nullable=True),
        sa.Column("drawn", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shown", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"], name="fk_battles_pair_id"),
        sa.PrimaryKeyConstraint("id", name="pk_battles"),
    )
    op.create_index("ix_battles_pair_id", "battles", ["pair_id"])
    op.create_index("ix_battles_voter_drawn", "battles", ["voter", "drawn"])

    op.create_table(
        "answers",
        sa.Column("battle_id", sa.String(length=32), nullable=False),
        sa.Column("choice", sa.String(length=12), nullable=False),
        sa.Column("answered", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("choice IN ('left', 'right', 'tie', 'both_bad', 'skip')", name="ck_answers_choice"),
        sa.ForeignKeyConstraint(["battle_id"], ["battles.id"], name="fk_answers_battle_id"),
        sa.PrimaryKeyConstraint("battle_id", name="pk_answers"),
    )
    op.create_table(
        "votes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("battle_id", sa.String(length=32), nullable=False),
        sa.Column("choice", sa.String(length=12), nullable=False),
        sa.Column("decision_ms", sa.Integer(), nullable=True),
        sa.Column("input", sa.String(length=12), nullable=False),
        sa.Column("gates", sa.JSON(), nullable=False),
        sa.Column("voted", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("choice IN ('left', 'right', 'tie', 'both_bad', 'skip')", name="ck_votes_choice"),
        sa.ForeignKeyConstraint(["battle_id"], ["battles.id"], name="fk_votes_battle_id"),
        sa.PrimaryKeyConstraint("id", name="pk_votes"),
        sa.UniqueConstraint("battle_id", name="uq_votes_battle_id"),
    )
    op.create_index("ix_votes_voted", "votes", ["voted"])

    op.create_table(
        "shards",
        sa.Column("vote_id", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["votes.id"], name="fk_shards_vote_id"),
        sa.PrimaryKeyConstraint("vote_id", name="pk_shards"),
    )
    op.create_index("ix_shards_shard", "shards", ["shard"])


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_shards_shard", "shards")

    op.drop_table("shards")
    op.drop_index("ix_votes_voted", "votes")

    op.drop_table("votes")
    op.drop_table("answers")
    op.drop_index("ix_battles_voter_drawn", "battles")
    op.drop_index("ix_battles_pair_id", "battles")

    op.drop_table("battles")
    op.drop_index("ix_pairs_served_study", "pairs")

    op.drop_table("pairs")
    op.drop_table("benched")
