"""Row-level security: on PostgreSQL the database itself keeps from a reader what is not for it.

The wall stands here and nowhere else; what changes it is another migration. docs/adr/0012-row-level-security.md says why it is
built so. SQLite has no roles: there the query filter stands alone.
"""

# ruff: noqa: S608  # every statement is made of our own words and the name of our own schema

from __future__ import annotations

from textwrap import dedent

from alembic import op

from kentongan.storage.second_wall import READER, require_reader_role

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What a reader may see. Each text is a condition on the table's own row. The sets are computed once for a statement, since
# they stand in a sub-select of their own; what is read inside a condition is itself behind the wall.
_SEEN = "{column} IN (SELECT unnest(kentongan_seen()))"
_OWN = "organization_id = (SELECT kentongan_own())"

_ROWS = {
    "incident": _SEEN.format(column="audience_id"),
    "object_carrier": _SEEN.format(column="audience_id"),
    "carrier_part": _SEEN.format(column="audience_id"),
    "posting": _SEEN.format(column="audience_id"),
    "audience": _SEEN.format(column="id"),
    "audience_group": _SEEN.format(column="audience_id"),
    "audience_organization": _OWN,
    "audience_person": "person_id = (SELECT nullif(current_setting('kentongan.person', true), '')::bigint)",
    "sharing_group_member": _OWN,
    "sharing_group": "EXISTS (SELECT FROM sharing_group_member m WHERE m.group_id = sharing_group.id)",
    "organization": (
        "id = (SELECT kentongan_own()) OR EXISTS (SELECT FROM audience a WHERE a.owner_id = organization.id)"
    ),
    "stix_object": (
        "EXISTS (SELECT FROM object_carrier c WHERE c.object_id = stix_object.id) "
        "AND CASE WHEN type IN ('relationship', 'sighting') THEN kentongan_tie_is_seen(id, body) ELSE true END"
    ),
    "object_observable": "EXISTS (SELECT FROM object_carrier c WHERE c.object_id = object_observable.object_id)",
    "observable": (
        "EXISTS (SELECT FROM posting p WHERE p.observable_id = observable.id) "
        "OR EXISTS (SELECT FROM object_observable o WHERE o.observable_id = observable.id)"
    ),
    "incident_tag": "EXISTS (SELECT FROM incident i WHERE i.id = incident_tag.incident_id)",
    "incident_case": (
        "CASE WHEN merged_into_id IS NULL THEN EXISTS (SELECT FROM incident i WHERE i.case_id = incident_case.id) "
        "ELSE kentongan_case_is_seen(id) END"
    ),
    "campaign": (
        "CASE WHEN merged_into_id IS NULL THEN EXISTS (SELECT FROM incident_case c WHERE c.campaign_id = campaign.id) "
        "ELSE kentongan_campaign_is_seen(id) END"
    ),
    "submission": _OWN,
    "delivery": _OWN,
    "tombstone": _OWN,
    "alert": "EXISTS (SELECT FROM delivery d WHERE d.alert_id = alert.id)",
    "job": (
        "CASE stage WHEN 'index' THEN EXISTS (SELECT FROM submission s WHERE s.id = subject_id) "
        "WHEN 'deliver' THEN false "
        f"ELSE EXISTS (SELECT FROM incident i WHERE i.id = subject_id AND i.{_OWN}) END"
    ),
}
_COLUMNS = {
    "job": "stage, subject_id, available_at",
}
"""Of these tables a reader reads no more than these columns."""

_FUNCTIONS = (
    # The policy a second time, written from docs/architecture.md and not from the filter: tests/storage/test_visibility.py
    # holds both against domain/policy.py.
    """
    CREATE FUNCTION kentongan_audiences(reader bigint, kind text, person bigint, operator boolean) RETURNS bigint[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        SELECT coalesce(array_agg(a.id), '{{}}') FROM audience a WHERE a.owner_id = reader OR (
            CASE a.level
                WHEN 0 THEN true
                WHEN 1 THEN true
                WHEN 2 THEN kind = 'member' OR EXISTS (SELECT FROM audience_group g WHERE g.audience_id = a.id)
                WHEN 3 THEN kind = 'member' AND NOT operator
                WHEN 4 THEN NOT operator AND (
                    EXISTS (SELECT FROM audience_organization o WHERE o.audience_id = a.id AND o.organization_id = reader)
                    OR EXISTS (SELECT FROM audience_person p WHERE p.audience_id = a.id AND p.person_id = person))
                ELSE false
            END
            AND (kind = 'member' OR NOT a.for_members)
            AND (SELECT count(*) FROM audience_group g WHERE g.audience_id = a.id) = (
                SELECT count(*) FROM audience_group g
                JOIN sharing_group s ON s.id = g.group_id AND s.ended_at IS NULL
                JOIN sharing_group_member m ON m.group_id = s.id AND m.organization_id = reader
                WHERE g.audience_id = a.id AND m.strictest >= a.level))
    $$
    """,
    """
    CREATE FUNCTION kentongan_seen() RETURNS bigint[] LANGUAGE sql STABLE AS $$
        SELECT nullif(current_setting('kentongan.audiences', true), '')::bigint[]
    $$
    """,
    """
    CREATE FUNCTION kentongan_own() RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT nullif(current_setting('kentongan.organization', true), '')::bigint
    $$
    """,
    # What merged away leads to something that lives on; only that is asked, so that nothing of a hidden merge is told.
    """
    CREATE FUNCTION kentongan_case_is_seen(merged bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        WITH RECURSIVE way AS (
            SELECT id, merged_into_id FROM incident_case WHERE id = merged
            UNION SELECT c.id, c.merged_into_id FROM incident_case c JOIN way ON way.merged_into_id = c.id)
        SELECT EXISTS (
            SELECT FROM way JOIN incident i ON i.case_id = way.id
            WHERE way.merged_into_id IS NULL AND i.audience_id = ANY (kentongan_seen()))
    $$
    """,
    """
    CREATE FUNCTION kentongan_campaign_is_seen(merged bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        WITH RECURSIVE way AS (
            SELECT id, merged_into_id FROM campaign WHERE id = merged
            UNION SELECT c.id, c.merged_into_id FROM campaign c JOIN way ON way.merged_into_id = c.id)
        SELECT EXISTS (
            SELECT FROM way JOIN incident_case c ON c.campaign_id = way.id JOIN incident i ON i.case_id = c.id
            WHERE way.merged_into_id IS NULL AND i.audience_id = ANY (kentongan_seen()))
    $$
    """,
    # A tie is seen by who sees both its ends, and by who sent it. The end itself may be a tie: it is not followed further. Of a tie
    # with hidden parts an end may be among them, which only the application cuts out: it judges that one alone.
    """
    CREATE FUNCTION kentongan_tie_is_seen(tie bigint, body text) RETURNS boolean
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
                SELECT FROM stix_object o JOIN object_carrier c ON c.object_id = o.id
                WHERE o.stix_id = end_id AND c.audience_id = ANY (kentongan_seen())))
    $$
    """,
    # Whose an id is may follow from a hidden content; it is told only of ids under which the reader sees something.
    """
    CREATE FUNCTION kentongan_owner_of(named text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        SELECT owner_id FROM stix_object WHERE stix_id = named AND EXISTS (
            SELECT FROM stix_object o JOIN object_carrier c ON c.object_id = o.id
            WHERE o.stix_id = named AND c.audience_id = ANY (kentongan_seen()))
        ORDER BY id LIMIT 1
    $$
    """,
    """
    CREATE FUNCTION kentongan_shown(evidence text) RETURNS text LANGUAGE sql STABLE COST 1000 AS $$
        SELECT json_agg(item ORDER BY place)::text
        FROM json_array_elements(evidence::json) WITH ORDINALITY AS items(item, place)
        WHERE {schema}.kentongan_seen() @> ARRAY(SELECT number::bigint FROM json_array_elements_text(item -> 'audiences') AS number)
        HAVING sum((item ->> 'weight')::float8) FILTER (WHERE (item ->> 'weight')::float8 > 0) > 0
    $$
    """,
)
_FOR_OWNER_AND_READER = (
    "kentongan_audiences(bigint, text, bigint, boolean)",
    "kentongan_seen()",
    "kentongan_own()",
    "kentongan_case_is_seen(bigint)",
    "kentongan_campaign_is_seen(bigint)",
    "kentongan_tie_is_seen(bigint, text)",
    "kentongan_owner_of(text)",
    "kentongan_shown(text)",
)

_VIEWS = (
    # Instead of the table a reader reads these, by its search path: no policy can hide a part of a row. Of a link that is the
    # evidence from what is hidden and the score, which would tell of it; of a subscription its secret.
    f"""
    CREATE VIEW {READER}.link WITH (security_barrier) AS
    SELECT id, kind, left_id, right_id, 0::double precision AS score, kentongan_shown(evidence) AS evidence, found_at
    FROM {{schema}}.link l
    WHERE EXISTS (SELECT FROM {{schema}}.incident i WHERE i.id = l.left_id AND i.audience_id = ANY (kentongan_seen()))
    AND EXISTS (SELECT FROM {{schema}}.incident i WHERE i.id = l.right_id AND i.audience_id = ANY (kentongan_seen()))
    AND kentongan_shown(evidence) IS NOT NULL
    """,
    f"""
    CREATE VIEW {READER}.subscription WITH (security_barrier) AS
    SELECT id, public_id, organization_id, name, filter, channel, target, ''::varchar(100) AS secret, active, created_at
    FROM {{schema}}.subscription WHERE organization_id = (SELECT kentongan_own())
    """,
)


def upgrade() -> None:
    """Row-level security: on PostgreSQL the database itself keeps from a reader what is not for it."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    require_reader_role(connection)
    op.execute(f"GRANT USAGE ON SCHEMA {schema}, {READER} TO {READER}")
    for statement in _FUNCTIONS:
        op.execute(dedent(statement).format(schema=schema))
    for function in _FOR_OWNER_AND_READER:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {READER}")
    for table, condition in _ROWS.items():
        columns = f" ({_COLUMNS[table]})" if table in _COLUMNS else ""
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY kentongan_reader_sees ON {table} FOR SELECT TO {READER} USING ({condition})")
        op.execute(f"GRANT SELECT{columns} ON {table} TO {READER}")
    for statement in _VIEWS:
        op.execute(dedent(statement).format(schema=schema))
    op.execute(f"GRANT SELECT ON {READER}.link, {READER}.subscription TO {READER}")
