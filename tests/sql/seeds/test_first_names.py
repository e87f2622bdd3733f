"""Salutations against every first name registered in Berlin in ten years: right or neutral, never wrong.

"Right" and "neutral" are shares of the people, not of the names.
"""

from __future__ import annotations

import csv
import functools
import gzip
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow
import pytest

from kreislauf.warehouse.models import Model, load_models
from kreislauf.warehouse.schema import Schema, create_table
from kreislauf.warehouse.seeds import load_seed

REGISTERED = Path(__file__).parent / "first_names_berlin.csv.gz"
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
SQL = Path(__file__).parents[3] / "include" / "sql"

LEAST, PURE = 10, 0.99
"""The list has names registered so often, with such a share of one sex."""

FOLDED = str.maketrans("ÄÖÜÉŞÇ", "äöüéşç")
LETTERS = set("abcdefghijklmnopqrstuvwxyzäöüéşçß'")
WORD = {"w": "Frau", "m": "Herr"}
OTHER = {"w": "m", "m": "w"}


@pytest.fixture(scope="module")
def registered() -> dict[tuple[str, str], int]:
    """How many people by name and sex."""
    with gzip.open(REGISTERED, "rt", encoding="utf-8", newline="") as file:
        return {
            (row["vorname"], row["geschlecht"]): int(row["anzahl"])
            for row in csv.DictReader(file)
            if row["vorname"]
        }


@functools.cache
def warehouse() -> tuple[dict[str, Model], Schema]:
    models = load_models(SQL, check=False)
    return models, Schema(models)


def salutations(given: list[tuple[str, str]]) -> list[str | None]:
    """What core.salutations makes of first names and the words of the CRM."""
    models, schema = warehouse()
    model = models["core.salutations"]
    ids = [str(number) for number in range(len(given))]
    profiles = {
        "contact_id": ids,
        "first_name": [name for name, _ in given],
        "last_name": ["Yılmaz-Berger"] * len(ids),
        "salutation_given": [word for _, word in given],
    }
    with duckdb.connect() as connection:
        for table in model.depends_on:
            create_table(connection, table, schema[table])
        connection.register("given", pyarrow.table(profiles))
        connection.execute("insert into core.profiles by name select * from given")
        listed = models["seeds.first_names"].rendered(AS_OF)
        connection.execute(f"insert into seeds.first_names {listed}")
        result = connection.execute(model.compile("duckdb", AS_OF))
        columns = [column[0] for column in result.description]
        found = {
            row[columns.index("contact_id")]: row[columns.index("salutation")] for row in result.fetchall()
        }
    return [found[number] for number in ids]


def test_the_list_follows_from_what_was_registered(registered):
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"w": 0, "m": 0})
    for (name, sex), times in registered.items():
        counts[name.translate(FOLDED).lower()][sex] += times
    expected = {
        name: "f" if by_sex["w"] > by_sex["m"] else "m"
        for name, by_sex in counts.items()
        if sum(by_sex.values()) >= LEAST
        and max(by_sex.values()) >= PURE * sum(by_sex.values())
        and set(name) <= LETTERS
        and len(name) > 1
    }
    listed = dict(duckdb.sql(load_seed(SQL / "seeds" / "first_names.csv").rendered(AS_OF)).fetchall())
    # Names may be added by hand; those that follow from the data stay.
    assert expected.items() <= listed.items()
    assert {name for name in listed if name != name.lower() or not set(name) <= LETTERS} == set()


@pytest.mark.parametrize("written", [str, str.lower, str.upper], ids=["as usual", "small", "capitals"])
def test_where_the_crm_is_right_most_are_addressed_and_none_wrongly(registered, written):
    given = [(written(name), WORD[sex]) for name, sex in registered]
    counts = {"right": 0, "neutral": 0, "wrong": 0}
    for salutation, (_, sex), people in zip(salutations(given), registered, registered.values(), strict=True):
        kind = {None: "neutral", WORD[sex]: "right"}.get(salutation, "wrong")
        counts[kind] += people
    assert counts["wrong"] == 0
    assert counts["right"] / sum(counts.values()) > 0.7


def test_where_the_crm_is_wrong_nobody_with_a_name_of_one_sex_is_addressed_wrongly(registered):
    given = [(name, WORD[OTHER[sex]]) for name, sex in registered]
    wrong = {"one sex": 0, "both": 0}
    for salutation, (name, sex), people in zip(
        salutations(given), registered, registered.values(), strict=True
    ):
        if salutation is not None:
            of_both = (name, OTHER[sex]) in registered or "-" in name
            wrong["both" if of_both else "one sex"] += people
    assert wrong["one sex"] == 0
    # A man among hundreds of women of that name, of whom the CRM says "Frau", too; and four people with
    # double names that were registered with the wrong sex, such as Johanna-Margo.
    assert wrong["both"] / sum(registered.values()) < 0.001
