"""Every model gives the same rows on each engine that needs no Java: `make conformance` has Spark too."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kreislauf.landing.zone import LandingZone
from kreislauf.warehouse.models import Model, load_models
from scripts.conformance import build, worlds
from scripts.conformance.__main__ import verdict
from scripts.conformance.compare import compare
from scripts.conformance.targets import QUICK, REFERENCE, Result, Target


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return load_models(build.SQL)


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> LandingZone:
    return worlds.land(tmp_path_factory.mktemp("worlds"), contacts=80)


@pytest.fixture(scope="module")
def reference(zone, models, tmp_path_factory) -> Result:
    return REFERENCE.run(tmp_path_factory.mktemp("reference"), zone, models)


def test_the_worlds_reach_nearly_all_tables(reference, models):
    assert not reference.built.failed
    empty = [name for name, rows in reference.tables.items() if not rows.num_rows]
    assert len(empty) < 0.15 * len(models), empty


@pytest.mark.parametrize("target", QUICK, ids=lambda target: target.name)
def test_an_engine_gives_the_same_rows(target: Target, zone, reference, models, tmp_path):
    if reason := target.missing():
        pytest.skip(reason)
    found = verdict(target.name, reference, target.run(tmp_path, zone, models), models)
    assert found.agrees, str(found)


ROWS = pa.table({"id": ["a", "b"], "amount": pa.array([1, 2], pa.int32())})


def test_the_order_of_rows_and_the_width_of_whole_numbers_do_not_count():
    other = pa.table({"id": ["b", "a"], "amount": pa.array([2, 1], pa.int64())})
    assert compare("core.x", ("id",), ROWS, other) is None


@pytest.mark.parametrize(
    ("other", "rows", "said"),
    [
        (pa.table({"id": ["a", "b"], "amount": [1, 3]}), 1, "('b',): amount 2 against 3"),
        (pa.table({"id": ["a"], "amount": [1]}), 1, "('b',): only here: ('b', 2)"),
        (pa.table({"id": ["a", "b", "c"], "amount": [1, 2, 3]}), 1, "('c',): only there: ('c', 3)"),
        (pa.table({"id": ["a", "b", "b"], "amount": [1, 2, 2]}), 1, "('b',): only there: ('b', 2)"),
        (pa.table({"id": ["a", "b"], "amount": [1, None]}), 1, "('b',): amount 2 against None"),
        (pa.table({"id": ["a", "b"], "amount": [1.0, 2.0]}), 2, "amount whole against amount double"),
        (pa.table({"amount": [1, 2], "id": ["a", "b"]}), 2, "id string against amount whole"),
    ],
)
def test_what_differs_is_said_by_its_key(other, rows, said):
    found = compare("core.x", ("id",), ROWS, other)
    assert found.rows == rows
    assert said in str(found)
