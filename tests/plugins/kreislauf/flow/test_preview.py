"""A preview says what the run would say, renders what would be sent, and leaves nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import From
from kreislauf.flow import Email, Flow, Test
from kreislauf.flow.candidates import candidates, gate
from kreislauf.flow.decide import Run, decide
from kreislauf.flow.policy import Policy, load_policy
from kreislauf.flow.preview import SAMPLES, preview
from kreislauf.flow.testing import publish
from kreislauf.ledger.batches import Verdict, answer, claim
from kreislauf.ledger.schema import BatchState, metadata, voucher
from kreislauf.ledger.testing import plan_people

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILE = Path(__file__).parents[4] / "dags" / "flow" / "welcome.py"
SENDER = From("hello@shop.example", "Shop", "Weg 1, 10115 Berlin", "https://shop.example")
POLICY = Policy(load_policy().priorities)
STEPS = Flow(
    "subscribed",
    [Email("hello", after=Test(soon="at once", later="1 hour")), Email("voucher", voucher="welcome")],
    relies_on=["shop"],
).resolve(FILE)


def people(count: int, **different) -> dict:
    contacts = [
        {
            "contact_id": f"shop-{number:02}",
            "email": f"p{number}@example.org",
            "first_name": "Ada",
            "language": "de" if number % 2 else "en",
            "timezone": "Europe/Berlin",
            "email_consent": "granted",
        }
        | different
        for number in range(count)
    ]
    occurred = {"occurrence_id": "first", "occurred_at": NOON - 2 * HOUR}
    return {
        "core.contacts": contacts,
        "core.source_freshness": [{"source": "shop", "stream": "all", "fresh_until": NOON}],
        "triggers.subscribed": [{"contact_id": one["contact_id"], **occurred} for one in contacts],
    }


def codes(ledger, count: int) -> None:
    rows = [{"code": f"C{n}", "pool": "welcome", "created_at": NOON} for n in range(count)]
    with ledger.write() as connection:
        connection.execute(insert(voucher), rows)


def rows(ledger) -> dict[str, int]:
    with ledger.read() as connection:
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }
        free = select(func.count()).where(voucher.c.message_key.is_(None))
        return counts | {"free codes": connection.execute(free).scalar_one()}


def test_it_says_what_the_run_then_says_and_leaves_nothing(any_ledger, parquet_engine):
    build = publish(parquet_engine, NOON, people(20))
    codes(any_ledger, 12)
    before = rows(any_ledger)
    run = Run("preview", build.build_id, NOON)
    seen = preview(parquet_engine, any_ledger, STEPS, run, POLICY)
    assert rows(any_ledger) == before

    # The second step is decided after the first, and there are not codes for all.
    assert seen.counts == {"hello": {"planned": 20}, "voucher": {"planned": 12, "no_voucher": 8}}
    real = Run("run", build.build_id, NOON)
    for step in STEPS:
        asked = candidates(parquet_engine, step, real, POLICY.holdout)
        found = decide(any_ledger, step, real, asked, gate(parquet_engine, step, real), POLICY)
        assert found == seen.counts[step.name]


def test_while_it_decides_messages_go_out(any_ledger, parquet_engine):
    build = publish(parquet_engine, NOON, people(3))
    codes(any_ledger, 3)
    plan_people(any_ledger, ["ada"], flow="flow_other", as_of=NOON)

    class Meanwhile:
        """A warehouse that lets a message go out in the middle of a preview."""

        def __getattr__(self, name):
            return getattr(parquet_engine, name)

        def batches(self, *given, **named):
            claimed = claim(any_ledger, "flow_other", "hello", "me", NOON)
            if claimed is not None:
                sent.append(claimed)
                answer(any_ledger, claimed, Verdict(BatchState.ACCEPTED))
            return parquet_engine.batches(*given, **named)

    sent = []
    seen = preview(Meanwhile(), any_ledger, STEPS, Run("preview", build.build_id, NOON), POLICY)
    assert len(sent) == 1 and seen.counts["hello"] == {"planned": 3}
    if any_ledger.engine.dialect.name == "sqlite":
        files = Path(any_ledger.engine.url.database).parent.iterdir()
        assert not [file for file in files if file.name.startswith(".")], "the copy is gone"


def test_samples_show_each_variant_and_language_as_the_person_would_get_it(ledger, parquet_engine):
    build = publish(parquet_engine, NOON, people(40))
    codes(ledger, 40)
    seen = preview(parquet_engine, ledger, STEPS, Run("r", build.build_id, NOON), POLICY)
    hello = [sample for sample in seen.samples if sample.step == "hello"]
    assert len(hello) == SAMPLES
    assert {(sample.variant, sample.language) for sample in hello} == {
        (variant, language) for variant in ("soon", "later") for language in ("de", "en")
    }
    sample = next(sample for sample in seen.samples if sample.step == "voucher" and sample.language == "en")
    parts = sample.render(Templates(), SENDER, "https://web.example", "flow_welcome")
    assert "Ada" in parts["html"] and "%%" not in "".join(parts.values())
    assert sample.merge["voucher_code"] in parts["html"]
    # Nothing personal in what may stand in a log.
    assert "Ada" not in repr(seen) and "example.org" not in repr(seen)
    assert seen.to_json()["samples"]["hello"] == [sample.contact_id for sample in hello]


def test_of_one_person_it_shows_every_step_with_its_reason(ledger, parquet_engine):
    build = publish(parquet_engine, NOON, people(9))
    codes(ledger, 9)
    run = Run("r", build.build_id, NOON)
    seen = preview(parquet_engine, ledger, STEPS, run, POLICY, people=["shop-07"])
    assert [(row.step, row.reason) for row in seen.decisions] == [
        ("hello", "planned"),
        ("voucher", "planned"),
    ]
    assert {sample.contact_id for sample in seen.samples} == {"shop-07"}
    assert seen.counts["hello"] == {"planned": 9}


def test_a_later_moment_does_not_wait_for_data_that_cannot_be_there_yet(ledger, parquet_engine):
    build = publish(parquet_engine, NOON, people(1))
    flow = Flow("subscribed", [Email("hello", after="1 day")], relies_on=["shop"])
    steps = flow.resolve(FILE)

    def counts(as_of: datetime) -> dict:
        return preview(parquet_engine, ledger, steps, Run("r", build.build_id, as_of), POLICY).counts

    assert counts(NOON) == {"hello": {"not_due": 1}}
    assert counts(NOON + 22 * HOUR) == {"hello": {"planned": 1}}


def test_a_build_that_is_gone_is_an_error(ledger, parquet_engine):
    publish(parquet_engine, NOON, people(1))
    with pytest.raises(Exception, match="gone"):
        preview(parquet_engine, ledger, STEPS, Run("r", "gone", NOON), POLICY)
