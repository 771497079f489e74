"""A revision after a release only adds; what else it does is named, or has a reason beside it."""

from __future__ import annotations

import pytest

from tools.migration_rules import RELEASED, our_texts, problems, statements

OLD = ("0001_orders", "CREATE TABLE orders (id uuid PRIMARY KEY, title text); CREATE TABLE lots ()")


def told(text: str) -> list[str]:
    return [problem.reason for problem in problems([OLD, ("0002_next", text)], released="0001")]


def test_our_own_revisions_keep_the_rule() -> None:
    assert problems(our_texts()) == []


def test_the_newest_release_is_one_of_ours_or_none() -> None:
    assert RELEASED in {"0000", *(name[:4] for name, _ in our_texts())}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DROP TABLE orders", "drops a table"),
        ("DROP TABLE IF EXISTS orders CASCADE", "drops a table"),
        ("DROP FUNCTION admit(text)", "drops a function"),
        ("ALTER TABLE orders DROP COLUMN title", "drops a column"),
        ("alter table only orders\n  drop column if exists title", "drops a column"),
        ("ALTER TABLE orders RENAME COLUMN title TO name", "renames"),
        ("ALTER TABLE orders RENAME TO sales", "renames"),
        ("ALTER TABLE orders ALTER COLUMN title TYPE varchar(9)", "changes a type"),
        ("ALTER TABLE orders ALTER title SET DATA TYPE varchar(9)", "changes a type"),
        ("ALTER TABLE orders ALTER COLUMN title SET NOT NULL", "refuses rows"),
        ("ALTER TABLE orders ADD COLUMN name text NOT NULL", "leaves empty"),
        (
            "ALTER TABLE orders ADD COLUMN a int DEFAULT 1, ADD COLUMN b int NOT NULL",
            "leaves empty",
        ),
        ("ALTER TABLE orders ADD CONSTRAINT c CHECK (title <> '')", "NOT VALID"),
        ("ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES lots", "NOT VALID"),
        ("ALTER TABLE orders ADD CONSTRAINT u UNIQUE (title)", "USING INDEX"),
        ("CREATE INDEX orders_title ON orders (title)", "CONCURRENTLY"),
        ("CREATE UNIQUE INDEX orders_title\n ON ONLY orders (title)", "CONCURRENTLY"),
    ],
)
def test_names_what_would_break_or_block_the_release_before(text: str, reason: str) -> None:
    [found] = told(text)
    assert reason in found


@pytest.mark.parametrize(
    "text",
    [
        """
        CREATE TABLE names (id uuid, name text NOT NULL); CREATE INDEX ON names (name);
        ALTER TABLE names ALTER COLUMN name TYPE varchar; DROP TABLE names
        """,
        "ALTER TABLE orders ADD COLUMN name text",
        "ALTER TABLE orders ADD COLUMN name text NOT NULL DEFAULT ''",
        "ALTER TABLE orders ADD COLUMN name text DEFAULT '' NOT NULL, ADD COLUMN more text",
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (title <> '') NOT VALID",
        "ALTER TABLE orders VALIDATE CONSTRAINT c",
        "ALTER TABLE orders ADD CONSTRAINT u UNIQUE USING INDEX orders_title",
        "CREATE INDEX CONCURRENTLY orders_title ON orders (title)",
        "CREATE OR REPLACE FUNCTION f() RETURNS void AS $$ DROP TABLE orders; $$ LANGUAGE sql",
        "UPDATE orders SET title = 'DROP TABLE orders; --' WHERE title IS NULL",
        "-- DROP TABLE orders;\n/* ALTER TABLE orders RENAME TO x; */ SELECT 1",
        "COMMENT ON TABLE orders IS 'a; DROP TABLE orders'",
    ],
)
def test_lets_through_what_only_adds(text: str) -> None:
    assert told(text) == []


def test_a_reason_beside_the_statement_excepts_that_statement_alone() -> None:
    text = """
    -- zero downtime: nothing has read it since 0.3.0
    ALTER TABLE orders DROP COLUMN title;
    DROP TABLE lots;
    """
    assert told(text) == ["drops a table that the release before may use: drop it one later"]
    assert len(told("-- zero downtime:\nDROP TABLE lots;")) == 1


def test_what_was_shipped_is_not_judged_again() -> None:
    assert problems([OLD, ("0002_next", "DROP TABLE orders")], released="0002") == []


def test_statements_end_where_postgresql_ends_them() -> None:
    text = "SELECT ';'; SELECT $x$ ; $x$;; SELECT \";\" -- ;\n; SELECT 1"
    assert [statement for statement, _ in statements(text)] == [
        "SELECT ';'",
        "SELECT $x$ ; $x$",
        'SELECT ";"',
        "SELECT 1",
    ]
