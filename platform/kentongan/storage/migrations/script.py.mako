"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """${message}."""
    % for line in (upgrades or "pass").splitlines():
    % if not line.lstrip().startswith("# ###"):
${line if line.startswith(" ") else "    " + line}
    % endif
    % endfor
