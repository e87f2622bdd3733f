"""A circuit in memory: a warehouse of rows, a ledger, and a provider that notes what it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow
from sqlalchemy import select

from kreislauf.connections import Connection
from kreislauf.flow import Branch, Flow, candidates
from kreislauf.flow.conditions import Condition
from kreislauf.flow.decide import Run, decide
from kreislauf.flow.model import INCLUDE, LANGUAGES, Step
from kreislauf.flow.policy import Policy
from kreislauf.flow.testing import rows_as_select
from kreislauf.flow.withdraw import withdraw
from kreislauf.ledger import batches
from kreislauf.ledger.batches import Verdict
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.schema import BatchState, Channel, decision, message, metadata
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.warehouse.engines.base import BuildInfo, bind, references

ACCEPTED = Verdict(BatchState.ACCEPTED)

NewLedger = Callable[[], Ledger]
"""Opens an empty ledger."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class Tables:
    """What flows use of an engine, over rows: the real portable SQL, without files.

    A table is made when it is asked for, and made anew only when its rows are others: a year has 500 builds.
    """

    dialect = "duckdb"

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.reason: str | None = None
        self._made: dict[str, Any] = {}

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(config={"threads": 1})

    def blocked(self) -> str | None:
        return self.reason

    def query(self, sql: str, params: Mapping[str, Any] | None = None, build_id: str = "") -> list[Any]:
        return [row for batch in self.batches(sql, params, build_id) for row in batch.to_pylist()]

    def batches(self, sql: str, params: Mapping[str, Any] | None = None, build_id: str = "") -> Iterator[Any]:
        given = params or {}
        compiled, tables = _compiled(sql, frozenset(given))
        values = _values(given, compiled)
        for table in tables:
            self._create(table)
        yield from self._connection.sql(compiled, params=values or None).to_arrow_table().to_batches()

    def _create(self, table: str) -> None:
        rows = self.rows.get(table, [])
        if self._made.get(table) == rows:
            return
        self._made[table] = rows
        layer = table.partition(".")[0]
        empty = rows_as_select(self.dialect, table, [])
        self._connection.execute(
            f"create schema if not exists {layer}; create or replace table {table} as {empty}"
        )
        if rows:
            names = dict.fromkeys(name for row in rows for name in row)
            texts = {name: [_text(row.get(name)) for row in rows] for name in names}
            self._connection.register("given", pyarrow.table(texts))
            self._connection.execute(f"insert into {table} by name select * from given")


def _text(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return None if value is None else str(value)


@cache
def _compiled(sql: str, names: frozenset[str]) -> tuple[str, list[str]]:
    """The statement as DuckDB reads it, and the tables that stand in it."""
    compiled = bind(sql, dict.fromkeys(names), "duckdb")[0]
    return compiled, references(compiled)


def _values(given: Mapping[str, Any], compiled: str) -> dict[str, Any]:
    used = {name: value for name, value in given.items() if f"${name}" in compiled}
    return {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in used.items()
    }


@dataclass(frozen=True)
class Sent:
    """A message the provider took, at a moment of the circuit's clock."""

    at: datetime
    flow: str
    step: str
    contact_id: str
    channel: Channel
    address: str
    key: str


Asked = list[list[dict[str, Any]]]


@dataclass
class Circuit:
    """A ledger, the newest build, and what was sent."""

    ledger: Ledger
    policy: Policy
    goals: Mapping[str, Condition] = field(default_factory=dict)
    tables: Tables = field(default_factory=lambda: Tables({}))
    sent: list[Sent] = field(default_factory=list)
    runs: int = 0

    @classmethod
    def open(cls, folder: Path, policy: Policy, goals: Mapping[str, Condition] | None = None) -> Circuit:
        ledger = Ledger.open(Connection("ledger", "sqlite", str(folder / "ledger.db")))
        metadata.create_all(ledger.engine)
        return cls(ledger, policy, goals or {})

    def publish(self, rows: Rows, as_of: datetime) -> None:
        """A build of these rows and of what the ledger knows by now."""
        names = ("flow", "step", "contact_id", "occurrence_id", "reason")
        decided = [dict(zip(names, row, strict=True)) for row in self.decisions(*names)]
        self.tables.rows = {"staging.ledger_decisions": decided, **rows}
        self.build = BuildInfo(f"build-{as_of:%Y%m%dT%H%M}", as_of)

    def run(self, as_of: datetime) -> Run:
        """A new run on the newest build."""
        self.runs += 1
        return Run(f"run-{self.runs}", self.build.build_id, as_of)

    def ask(self, step: Step, run: Run) -> Asked:
        """The step's candidates on the newest build."""
        return list(candidates.candidates(self.tables, step, run, self.policy.holdout))

    def decide(self, step: Step, run: Run, asked: Asked | None = None) -> dict[str, int]:
        """Decide candidates, or those of the newest build."""
        rows = self.ask(step, run) if asked is None else asked
        return decide(self.ledger, step, run, rows, candidates.gate(self.tables, step, run), self.policy)

    def send(self, as_of: datetime, verdict: Verdict = ACCEPTED) -> list[Sent]:
        """Hand over whatever is due in any flow."""
        new = []
        withdraw(self.ledger, self.tables, self.build, as_of, goal_of=self.goals.get)
        for flow, step, channel in batches.due(self.ledger, utc_now(), as_of):
            while claimed := batches.claim(self.ledger, flow, step, "me", utc_now(), as_of):
                if not claimed.messages:
                    continue
                batches.answer(self.ledger, claimed, verdict)
                if verdict.state is BatchState.PLANNED:
                    break
                if verdict.state is not BatchState.REJECTED:
                    new += [
                        Sent(as_of, flow, step, row.contact_id, channel, row.address, row.message_key)
                        for row in claimed.messages
                    ]
        self.sent += new
        return new

    def decisions(self, *columns: str) -> list[tuple[Any, ...]]:
        """The decisions' columns, sorted."""
        with self.ledger.read() as connection:
            found = connection.execute(select(*(decision.c[name] for name in columns)))
            return sorted((tuple(row) for row in found), key=repr)

    def messages(self) -> list[Any]:
        with self.ledger.read() as connection:
            return list(connection.execute(select(message).order_by(message.c.message_key)))


def disturbed(sent: Sent, policy: Policy, zone: str) -> bool:
    """Whether a message went out in the quiet hours of its channel by this clock."""
    quiet = policy.channel(sent.channel).quiet_hours
    return quiet is not None and quiet.cover(sent.at.astimezone(ZoneInfo(zone)).time())


def cap_exceeded(circuit: Circuit, policy: Policy) -> list[tuple[FrequencyCap, Sent]]:
    """Caps of the channels, and the message that was one too many at its moment: counting those of its
    class and above that were sent before."""
    priorities = {row.message_key: row.priority for row in circuit.messages()}
    found = []
    for number, sent in enumerate(circuit.sent):
        for cap in policy.channel(sent.channel).caps:
            recent = [
                other
                for other in circuit.sent[: number + 1]
                if other.contact_id == sent.contact_id
                and other.channel == sent.channel
                and 0 < priorities[other.key] <= priorities[sent.key]
                and other.at > sent.at - cap.window
            ]
            if len(recent) > cap.messages:
                found.append((cap, sent))
    return found


def flow_steps(folder: Path, name: str, flow: Flow) -> list[Step]:
    """The steps of a flow as if it stood in dags/flow/<name>.py, with the repository's SQL."""
    include = folder / "include"
    include.mkdir(exist_ok=True)
    if not (include / "sql").exists():
        for name_of_file in ("sql", "vouchers.yaml"):
            (include / name_of_file).symlink_to(INCLUDE / name_of_file)
    templates = include / "templates" / name
    templates.mkdir(parents=True, exist_ok=True)
    for action, language, suffix in product(_actions(flow.steps), LANGUAGES, ("mjml", "yaml")):
        (templates / f"{action}.{language}.{suffix}").touch()
    return flow.resolve(folder / "dags" / "flow" / f"{name}.py", include)


def _actions(items: Any) -> Iterator[str]:
    for item in items:
        if isinstance(item, Branch):
            yield from _actions([*item.then, *item.otherwise])
        else:
            yield item.name
