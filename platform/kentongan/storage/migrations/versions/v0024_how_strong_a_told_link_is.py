"""How strong a link is may be read by whom nothing of it is hidden from: readers' cases and campaigns are made of that."""

from __future__ import annotations

from textwrap import dedent

from alembic import op

from kentongan.storage.second_wall import READER

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_VIEW = f"""
    CREATE OR REPLACE VIEW {READER}.link WITH (security_barrier) AS
    SELECT id, kind, left_id, right_id, 0::double precision AS score, kentongan_shown(evidence) AS evidence, found_at,
        CASE WHEN json_array_length(kentongan_shown(evidence)::json) = json_array_length(evidence::json) THEN bits END AS bits
    FROM {{schema}}.link l
    WHERE EXISTS (SELECT FROM {{schema}}.incident i WHERE i.id = l.left_id AND i.audience_id = ANY (kentongan_seen()))
    AND EXISTS (SELECT FROM {{schema}}.incident i WHERE i.id = l.right_id AND i.audience_id = ANY (kentongan_seen()))
    AND kentongan_shown(evidence) IS NOT NULL
    """  # noqa: S608  # our own words and schema


def upgrade() -> None:
    """How strong a link is may be read by whom nothing of it is hidden from: a column more of the view of v0008."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(dedent(_VIEW).format(schema=schema))
