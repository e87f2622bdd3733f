"""Statements taken apart at the CTEs that would be written out many times."""

from __future__ import annotations

from kreislauf.warehouse.engines.spark_steps import WRITTEN_OUT, in_steps


def rounds(number: int) -> str:
    """Each round reads the one before, and the links, twice."""
    ctes = ["links AS (SELECT a.x FROM raw_a AS a JOIN raw_b AS b ON a.x = b.x)"]
    ctes.append("round_0 AS (SELECT x FROM links GROUP BY x)")
    for i in range(1, number):
        ctes.append(
            f"round_{i} AS (SELECT l.x, ')' AS y FROM links AS l JOIN round_{i - 1} AS r ON l.x = r.x"
            f" JOIN round_{i - 1} AS s ON l.x = s.x)"
        )
    return f"WITH {', '.join(ctes)} SELECT x FROM round_{number - 1}"


def taken_apart(statement: str) -> tuple[dict[str, str], str]:
    kept: dict[str, str] = {}

    def keep(name: str, part: str) -> str:
        kept[name] = part
        return f"kept_{name}"

    return kept, in_steps(statement, keep)


def test_a_statement_that_reads_few_tables_stays_whole():
    assert taken_apart(rounds(3)) == ({}, rounds(3))
    assert taken_apart("SELECT x FROM raw_a") == ({}, "SELECT x FROM raw_a")


def test_what_is_used_again_is_kept_once_and_read_from_there():
    kept, statement = taken_apart(rounds(5))
    assert list(kept) == ["links", "round_1", "round_2", "round_3"]
    assert kept["links"] == "SELECT a.x FROM raw_a AS a JOIN raw_b AS b ON a.x = b.x"
    assert kept["round_1"].startswith(
        "WITH links AS (SELECT * FROM kept_links), round_0 AS (SELECT x FROM links GROUP BY x) SELECT l.x"
    )
    assert "raw_a" not in statement
    assert statement.endswith("SELECT x FROM round_4")
    assert "round_3 AS (SELECT * FROM kept_round_3)" in statement


def test_what_is_used_once_is_left_where_it_is():
    many = " UNION ALL ".join(["SELECT x FROM raw_a"] * (WRITTEN_OUT + 1))
    kept, statement = taken_apart(f"WITH once AS ({many}) SELECT x FROM once")
    assert kept == {}
    assert statement.count("raw_a") == WRITTEN_OUT + 1
