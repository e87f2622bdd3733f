"""What happened, read from where it is kept: landing zone, warehouse and ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import func, select

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.ledger.schema import BatchState, Reason, batch, decision, event, message, suppression
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.engines import engine_for
from kreislauf.warehouse.engines.base import Engine
from scripts.local import write_json

COUNTED_AGAIN = "the shop, counted again in the warehouse"
FLOWS = "flows"
ONLY_IN_FILE = ("decisions by flow and reason", "messages by flow and state")
"""What has too many lines for a terminal."""


class Unreconciled(RuntimeError):
    """The warehouse does not count what its input counts: something got lost or doubled."""


def show(home: Path, retail: str | None = None) -> None:
    """Print the summary, and write the same to `<home>/summary.json`.

    The connections are read from the environment. With `retail`, a file of real transactions, its own
    counts stand beside the warehouse's. Raises Unreconciled, after printing, if they differ.
    """
    summary = collect(home)
    if retail:
        summary |= {"real transactions, in the file and in the warehouse": _reconcile(retail, summary)}
    write_json(home / "summary.json", summary)
    for title, figures in summary.items():
        if title == FLOWS:
            _print_flows(figures)
        elif title not in ONLY_IN_FILE:
            _print(title, figures)
    print(f"\nThe same and more as JSON: {home / 'summary.json'}")
    print("Where to look next: `make up` for Airflow's UI and the inbox,")
    print("`make sql segments/lapsed_buyers` for any table, README.md for the rest.\n")
    if retail:
        _check(summary["real transactions, in the file and in the warehouse"])


def collect(home: Path) -> dict[str, Any]:
    """The figures by title; figures are a number, or numbers by name, or those by a second name."""
    warehouse = engine_for(Connection.from_env("warehouse"))
    ledger = Ledger.open(Connection.from_env("ledger"))
    build = warehouse.published()
    summary: dict[str, Any] = {"as of": f"{build.as_of:%Y-%m-%d %H:%M} UTC", "build": build.build_id}
    summary["rows ingested, by table"] = _ingested(LandingZone(home / "landing"))
    summary["contacts"] = _count(warehouse, "core.contacts")
    summary["contacts by lifecycle stage"] = _by(warehouse, "lifecycle.stage", "stage")
    summary["buyers by RFM cell"] = _by(warehouse, "scores.rfm", "cell")
    summary["segments"] = _named(warehouse, "select name, contacts as value from reports.segment_sizes")
    summary[FLOWS] = flows(ledger)
    summary |= _from_ledger(ledger)
    summary["clean-up findings"] = _named(
        warehouse,
        "select dimension as name, value from reports.nightly_summary where metric = 'cleanup_findings'",
    )
    summary |= _reports(warehouse, build.as_of)
    reconciled = warehouse.query("select metric, value from reports.shop_reconciliation")
    summary[COUNTED_AGAIN] = {row["metric"]: _number(row["value"]) for row in reconciled}
    return summary


def _reconcile(retail: str, summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The file's own counts beside those of the warehouse."""
    amount = "cast(Quantity as decimal(18, 4)) * cast(UnitPrice as decimal(18, 4))"
    counts = duckdb.connect().execute(
        f"""
        select
            count(distinct CustomerID) as customers,
            count(distinct InvoiceNo) as invoices,
            count(*) as lines,
            count(*) filter (where InvoiceNo like 'C%') as refund_lines,
            round(sum({amount}), 2) as net_amount
        from read_parquet(?)
        """,
        [retail],
    )
    names = [column[0] for column in counts.description]
    warehouse = summary[COUNTED_AGAIN]
    return {
        name: {"file": _number(value), "warehouse": warehouse[name]}
        for name, value in zip(names, counts.fetchone(), strict=True)
    }


def _check(reconciled: dict[str, dict[str, Any]]) -> None:
    wrong = [name for name, counts in reconciled.items() if counts["file"] != counts["warehouse"]]
    if wrong:
        raise Unreconciled(f"the warehouse and the file differ in {', '.join(wrong)}; see the summary above")


def _number(value: Decimal | int) -> int | float:
    return int(value) if value == int(value) else round(float(value), 2)


def _ingested(zone: LandingZone) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for manifest in zone.manifests():
        for table, part in manifest.tables.items():
            rows[table] += part["rows"]
        if manifest.quarantined:
            rows["quarantined"] += manifest.quarantined
    return dict(sorted(rows.items()))


def flows(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """By flow: its occurrences (each a journey of one contact), how many of them ended by the goal, and its
    messages: planned, sent (by channel), and waiting for their hour or for an approval."""
    occurrence = (decision.c.contact_id, decision.c.occurrence_id)
    journeys = select(decision.c.flow, *occurrence).distinct().subquery()
    at_goal = select(decision.c.flow, *occurrence).where(decision.c.reason == Reason.GOAL_REACHED)
    ended = at_goal.distinct().subquery()
    messages = (
        select(message.c.flow, message.c.channel, batch.c.state, message.c.outcome, func.count())
        .select_from(message.join(batch))
        .group_by(message.c.flow, message.c.channel, batch.c.state, message.c.outcome)
    )
    found: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"occurrences": 0, "ended by goal": 0, "planned": 0, "waiting": 0, "sent": {}}
    )
    with ledger.read() as connection:
        for name, counted in (("occurrences", journeys), ("ended by goal", ended)):
            rows = connection.execute(select(counted.c.flow, func.count()).group_by(counted.c.flow))
            for flow, count in rows:
                found[flow][name] = count
        for flow, channel, state, outcome, count in connection.execute(messages):
            figures = found[flow]
            figures["planned"] += count
            if state in {BatchState.PLANNED, BatchState.WAITING, BatchState.CLAIMED} and outcome is None:
                figures["waiting"] += count
            elif state == BatchState.ACCEPTED and outcome is None:
                figures["sent"][str(channel)] = figures["sent"].get(str(channel), 0) + count
    return {flow: found[flow] for flow in sorted(found)}


def _from_ledger(ledger: Ledger) -> dict[str, Any]:
    def grouped(columns: list[Any], joined: Any = None) -> list[Any]:
        query = select(*columns, func.count()).group_by(*columns)
        with ledger.read() as connection:
            return connection.execute(query.select_from(joined) if joined is not None else query).all()

    decisions: dict[str, dict[str, int]] = {}
    for flow, reason, count in sorted(grouped([decision.c.flow, decision.c.reason])):
        decisions.setdefault(flow, {})[reason] = count
    state = func.coalesce(message.c.outcome, batch.c.state)
    messages: dict[str, dict[str, int]] = {}
    for flow, name, count in sorted(grouped([message.c.flow, state], message.join(batch))):
        messages.setdefault(flow, {})[name] = count
    return {
        "decisions by flow and reason": decisions,
        "messages by flow and state": messages,
        "events received": dict(sorted(tuple(row) for row in grouped([event.c.type]))),
        "suppressions": dict(sorted(tuple(row) for row in grouped([suppression.c.reason]))),
    }


def _reports(warehouse: Engine, as_of: datetime) -> dict[str, Any]:
    """What the reports say, each in a few figures."""
    month = {"month": datetime(as_of.year, as_of.month, 1)}
    funnel = warehouse.query(
        "select flow, sent, delivered, opened, clicked, orders, revenue, unsubscribed"
        " from reports.message_funnel where level = 'flow' and sent > 0"
    )
    return {
        "mails by flow": {
            row.pop("flow"): {name: _number(value) for name, value in row.items()}
            for row in sorted(funnel, key=lambda row: row["flow"])
        },
        "revenue by what moved it (last touch)": _named(
            warehouse,
            "select channel || ' ' || coalesce(campaign, '') as name, sum(revenue) as value"
            " from reports.attribution_by_campaign where model = 'last_touch' and month >= :month"
            " group by channel, campaign",
            month,
        ),
        "revenue for each unit of cost, this month": _named(
            warehouse,
            "select platform || ' ' || campaign as name, roas as value from reports.roi"
            " where month = :month and roas is not null",
            month,
        ),
        "goals of this quarter, as a share of the target": _named(
            warehouse,
            "select kpi || ': ' || status as name, share_of_target as value from reports.kpis"
            " where period_start <= :as_of and period_end >= :as_of and share_of_target is not null",
            {"as_of": as_of.date()},
        ),
        "expected revenue by month": _named(
            warehouse,
            "select cast(month as varchar) as name, expected_revenue as value from reports.revenue_forecast"
            " where expected_revenue is not null",
        ),
    }


def _named(warehouse: Engine, sql: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """The rows of a query with the columns `name` and `value`, by name."""
    rows = warehouse.query(sql, params)
    return {row["name"].strip(): _number(row["value"]) for row in sorted(rows, key=lambda row: row["name"])}


def _count(warehouse: Engine, table: str) -> int:
    (row,) = warehouse.query(f"select count(*) as n from {table}")
    return row["n"]


def _by(warehouse: Engine, table: str, column: str) -> dict[str, int]:
    query = f"select {column} as name, count(*) as n from {table} group by {column}"
    return {row["name"]: row["n"] for row in sorted(warehouse.query(query), key=lambda row: -row["n"])}


def _print(title: str, figures: Any, indent: str = "") -> None:
    if not isinstance(figures, dict):
        print(f"{indent}{title:<{36 - len(indent)}} {_figure(figures):>14}")
        return
    print(f"{'' if indent else chr(10)}{indent}{title}")
    for name, value in figures.items() or [("none", "")]:
        _print(name, value, indent + "  ")


def _print_flows(figures: dict[str, dict[str, Any]]) -> None:
    """One line a flow."""
    columns = ("occurrences", "ended by goal", "planned", "waiting")
    print(f"\n{FLOWS:<34}" + "".join(f"{name:>14}" for name in columns) + "  sent")
    for flow, row in figures.items():
        sent = ", ".join(f"{_figure(count)} {channel}" for channel, count in sorted(row["sent"].items()))
        print(f"  {flow:<32}" + "".join(f"{_figure(row[name]):>14}" for name in columns) + f"  {sent or '-'}")


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
