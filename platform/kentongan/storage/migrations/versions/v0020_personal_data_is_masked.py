"""An organization may have mail addresses and the names of who was hit masked in all it sends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody wished it before."""
    with op.batch_alter_table("masking", schema=None) as batch_op:
        batch_op.add_column(sa.Column("personal", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("masking", schema=None) as batch_op:
        batch_op.alter_column("personal", server_default=None)
