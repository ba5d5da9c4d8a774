"""Behind the second wall the ends of a tie are looked up one by one, whatever PostgreSQL believes of its tables."""

from __future__ import annotations

from textwrap import dedent

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# As in v0008; OFFSET 0 keeps each EXISTS a look-up of its own. Joined, a table that was not counted yet was read as a whole for
# each tie: 0.7 ms with 4,000 objects, and more with each that comes.
_FUNCTION = """
    CREATE OR REPLACE FUNCTION kentongan_tie_is_seen(tie bigint, body text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        SELECT EXISTS (
            SELECT FROM object_carrier c JOIN audience a ON a.id = c.audience_id
            WHERE c.object_id = tie AND a.owner_id = kentongan_own())
        OR EXISTS (SELECT FROM carrier_part p WHERE p.object_id = tie)
        OR NOT EXISTS (
            SELECT FROM (
                SELECT body::json ->> name AS end_id
                FROM unnest(ARRAY['source_ref', 'target_ref', 'sighting_of_ref']) AS name
                UNION SELECT json_array_elements_text(coalesce(body::json -> 'where_sighted_refs', '[]'))) AS ends
            WHERE end_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM stix_object o
                WHERE o.stix_id = end_id AND EXISTS (
                    SELECT FROM object_carrier c WHERE c.object_id = o.id AND c.audience_id = ANY (kentongan_seen()) OFFSET 0)
                OFFSET 0))
    $$
"""


def upgrade() -> None:
    """The second wall's look at the ends of a tie goes by indexes."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(dedent(_FUNCTION).format(schema=schema))
