"""Everybody is due for one step of a flow: what is sent, and what a message costs to plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kreislauf.connections import Connection
from kreislauf.flow import Email, Flow
from kreislauf.flow.candidates import candidates, gate
from kreislauf.flow.decide import Run, decide
from kreislauf.flow.model import INCLUDE, Step
from kreislauf.flow.policy import load_policy
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.engines import BuildInfo, Engine, engine_for
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from scripts.bench.measure import AS_OF, Stopwatch

FLOW = Flow(trigger="subscribed", steps=[Email("hello")], relies_on=["shop"], frequency_cap="2 per 1 day")
"""The first step of the welcome flow."""

# Everybody subscribed an hour ago, consents and has an address, so everybody gets a message.
_TABLES = {
    "core.contact_keys": """
        select 'shop-' || i as record_id, 'shop-' || i as contact_id from range({size}) as t(i)
    """,
    "core.reach": """
        select 'shop-' || i as contact_id, 'email' as channel, 'person' || i || '@example.org' as address
        from range({size}) as t(i)
    """,
    "core.permissions": """
        select 'shop-' || i as contact_id, 'email' as channel, 'marketing' as topic
        from range({size}) as t(i)
    """,
    "core.visitor_keys": "select 'none' as visitor_id where false",
    "staging.ledger_decisions": "select 'none' as flow where false",
    "core.contacts": """
        select
            'shop-' || i as contact_id,
            'person' || i || '@example.org' as email,
            'Erika' as first_name,
            'Mustermann' as last_name,
            case when i % 2 = 0 then 'Frau' end as salutation,
            case when i % 3 = 0 then 'en' else 'de' end as language,
            'Europe/Berlin' as timezone
        from range({size}) as t(i)
    """,
    "triggers.subscribed": """
        select
            'shop-' || i as contact_id,
            '2026-11-20' as occurrence_id,
            timestamp '{as_of}' - interval '1 hour' as occurred_at,
            0 as item_count
        from range({size}) as t(i)
    """,
    "core.source_freshness": """
        select 'shop' as source, 'customers' as stream, timestamp '{as_of}' as fresh_until
    """,
}


def generate(folder: Path, size: int) -> dict[str, Any]:
    """A published build whose trigger has `size` occurrences, and an empty ledger."""
    engine, schema = _engine(folder), Schema(load_models(INCLUDE / "sql"))
    with Stopwatch() as watch:
        build = engine.begin_build(AS_OF)
        for table, select in _TABLES.items():
            made = select.format(size=size, as_of=f"{AS_OF:%Y-%m-%d %H:%M:%S}")
            columns = schema[table].items()
            empty = ", ".join(f'cast(null as {type_}) as "{name}"' for name, type_ in columns)
            engine.create_table(
                build, table, f"select * from (select {empty} where false) union all by name ({made})"
            )
        engine.publish(build)
        open_ledger(folder).migrate()
    return watch.result(size)


def plan(folder: Path, size: int) -> dict[str, Any]:
    """Every candidate gets its decision and its message."""
    ledger, engine, run = open_ledger(folder), _engine(folder), _run(folder)
    _warm_up(folder, engine, run)
    policy = replace(load_policy(), most_in_a_run=None, most_in_a_day=None)
    with Stopwatch() as watch:
        asked = candidates(engine, step(), run, policy.holdout)
        counts = decide(ledger, step(), run, asked, gate(engine, step(), run), policy)
    if counts != {"planned": size}:
        raise RuntimeError(f"{size} candidates were decided as {counts}")
    return watch.result(size)


def step() -> Step:
    """The step that is planned and sent."""
    (hello,) = FLOW.resolve(INCLUDE.parent / "dags" / "flow" / "welcome.py")
    return hello


def open_ledger(folder: Path, name: str = "ledger.db") -> Ledger:
    """A ledger in the benchmark's folder."""
    return Ledger.open(Connection("ledger", "sqlite", str(folder / name)))


def _warm_up(folder: Path, engine: Engine, run: Run) -> None:
    """Decide one candidate in a ledger of its own, so that what is imported on the way is not counted."""
    policy = load_policy()
    one = next(candidates(engine, step(), run, policy.holdout))[:1]
    ledger = open_ledger(folder, "warm-plan.db")
    ledger.migrate()
    decide(ledger, step(), run, [one], gate(engine, step(), run), policy)


def _run(folder: Path) -> Run:
    build: BuildInfo | None = _engine(folder).published()
    if build is None:
        raise RuntimeError("no build to decide on is published")
    return Run("first", build.build_id, AS_OF)


def _engine(folder: Path) -> Engine:
    return engine_for(Connection("warehouse", "duckdb", str(folder / "audience")))
