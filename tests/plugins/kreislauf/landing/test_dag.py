from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import RetryAction

from kreislauf.landing.dag import RETRIES, as_of
from kreislauf.sources.errors import BadAnswer, Throttled, Unauthorized, Unavailable


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (Unauthorized("x"), RetryAction.FAIL),
        (BadAnswer("x"), RetryAction.FAIL),
        (Throttled("x"), RetryAction.RETRY),
        (Unavailable("x"), RetryAction.RETRY),
        (OSError("x"), RetryAction.DEFAULT),
    ],
)
def test_what_is_tried_again_goes_by_what_helps(error, action):
    assert RETRIES.evaluate(error, try_number=1, max_tries=3).action == action


@pytest.mark.parametrize(
    "given", ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00", "2026-11-22T11:00:00.9+01:00"]
)
def test_a_run_may_be_told_its_moment(given):
    assert as_of({"params": {"as_of": given}}) == datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize("started", [datetime(2026, 11, 22, 10, 0, 0, 999, tzinfo=UTC), None])
def test_else_all_tasks_of_a_run_share_its_start(started):
    after = datetime(2026, 11, 22, 10, tzinfo=UTC)
    run = SimpleNamespace(start_date=started, run_after=after)
    assert as_of({"params": {"as_of": None}, "dag_run": run}) == after
