"""Every object of ours says what it is."""

from __future__ import annotations

import pytest

SCHEMAS = "('fleet', 'telemetry', 'control', 'analytics')"
UNCOMMENTED = {
    "schema": f"""
        SELECT nspname AS name FROM pg_namespace
        WHERE nspname IN {SCHEMAS} AND obj_description(oid, 'pg_namespace') IS NULL""",
    "table or view": f"""
        SELECT oid::regclass::text AS name FROM pg_class
        WHERE relnamespace::regnamespace::text IN {SCHEMAS} AND relkind IN ('r', 'p', 'v', 'm')
          AND obj_description(oid, 'pg_class') IS NULL""",
    "function": f"""
        SELECT oid::regprocedure::text AS name FROM pg_proc
        WHERE pronamespace::regnamespace::text IN {SCHEMAS}
          AND obj_description(oid, 'pg_proc') IS NULL""",
    "type": f"""
        SELECT oid::regtype::text AS name FROM pg_type
        WHERE typnamespace::regnamespace::text IN {SCHEMAS} AND typtype IN ('e', 'd')
          AND obj_description(oid, 'pg_type') IS NULL""",
    "role": """
        SELECT rolname AS name FROM pg_roles
        WHERE rolname LIKE 'fleet\\_%' AND rolname NOT LIKE 'fleet\\_node\\_%'
          AND rolname <> current_user AND shobj_description(oid, 'pg_authid') IS NULL""",
    "column of analytics": """
        SELECT attrelid::regclass || '.' || attname AS name FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'analytics'::regnamespace)
          AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL""",
}


def test_everything_has_a_comment(owner):
    """Schemas, tables, views, functions, types, roles and analytics columns are all described."""
    lacking = [
        f"{kind} {row['name']}"
        for kind, sql in UNCOMMENTED.items()
        for row in owner.execute(sql).fetchall()
    ]

    assert lacking == []


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("CREATE SCHEMA control2", None),
        ("CREATE TABLE fleet.bare (x int)", "table or view"),
        ("CREATE FUNCTION fleet.bare() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function"),
        ("CREATE TYPE control.bare AS ENUM ('a')", "type"),
        ("CREATE VIEW analytics.bare AS SELECT 1 AS x", "column of analytics"),
    ],
)
def test_bare_object_is_found(owner, made, kind):
    """An object of ours without a comment is named; other schemas are nobody's business here."""
    owner.execute(made)

    found = {k for k, sql in UNCOMMENTED.items() if owner.execute(sql).fetchall()}

    assert (kind in found) if kind else not found


def test_comments_are_sentences(owner):
    """A comment on a column is a sentence, not a repetition of its name."""
    rows = owner.execute("""
        SELECT attrelid::regclass || '.' || attname AS name, attname AS column_name,
          col_description(attrelid, attnum) AS text FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'analytics'::regnamespace)
          AND attnum > 0""").fetchall()

    poor = [
        row["name"]
        for row in rows
        if not row["text"].endswith(".") or row["text"].lower() == f"{row['column_name']}."
    ]

    assert rows
    assert poor == []
