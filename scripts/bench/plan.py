"""Planning: every flow of dags/flow decides all its steps on the build, each in a process of its own.

As the tasks of its DAG do: the candidates of a step are read from the build and decided in the ledger, a
step after the other. A process a flow, so that its memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from kreislauf.flow.candidates import candidates, gate
from kreislauf.flow.decide import Run, decide
from kreislauf.flow.files import FlowFile, read_all
from kreislauf.flow.policy import load_policy
from kreislauf.warehouse.engines import BuildInfo
from scripts.bench.audience import open_ledger
from scripts.bench.build import published_engine
from scripts.bench.measure import AS_OF, Stopwatch

LEDGER = "flows.db"
_ROWS_AT_A_TIME = 5_000

Work = Callable[[FlowFile, Path], dict[str, Any]]
"""What is measured of a flow: its rows, seconds and CPU seconds."""


def first(folder: Path, size: int) -> dict[str, Any]:
    """Every candidate of every step gets its decision, and who is due now a message. An empty ledger."""
    flows = read_all()
    open_ledger(folder, LEDGER).migrate()
    _fill_vouchers(folder, flows.values(), size // 20)
    result = _each(flows.values(), folder, _decide_first)
    if (decided := _rows(folder, "decision")) != result["rows"]:
        raise RuntimeError(f"{result['rows']} candidates became {decided} decisions")
    return result


def again(folder: Path, size: int) -> dict[str, Any]:
    """The same once more, by other runs: nothing is added but what the first run had no room for."""
    waited = _rows(folder, "decision", "where reason = 'run_cap'")
    before = _rows(folder, "decision")
    result = _each(read_all().values(), folder, _decide_again)
    added, planned = _rows(folder, "decision") - before, result["decisions"].get("planned", 0)
    if added or planned > waited:
        raise RuntimeError(f"deciding again added {added} decisions and {planned} messages")
    return result


def read_candidates(folder: Path, size: int) -> dict[str, Any]:
    """The part of it that only reads: the candidates as the ledger gets them, none decided before."""
    return _each(read_all().values(), folder, _read)


def floor(folder: Path, size: int) -> dict[str, Any]:
    """The same decisions and messages written into empty tables by executemany, each with one key."""
    rows = 0
    source = sqlite3.connect(folder / LEDGER)
    target = sqlite3.connect(folder / "floor.db", isolation_level=None)
    target.execute("pragma journal_mode = wal")
    target.execute("pragma synchronous = full")
    keys = {"decision": "flow, step, contact_id, occurrence_id", "message": "message_key"}
    with Stopwatch() as watch:
        target.execute("begin")
    for table, key in keys.items():
        columns = [name for _, name, *_ in source.execute(f"pragma table_info({table})")]
        target.execute(f"create table {table} ({', '.join(columns)}, primary key ({key}))")
        statement = f"insert into {table} values ({', '.join('?' * len(columns))})"
        found = source.execute(f"select * from {table} order by rowid")
        while chunk := found.fetchmany(_ROWS_AT_A_TIME):
            rows += len(chunk) if table == "decision" else 0
            with watch:
                target.executemany(statement, chunk)
    with watch:
        target.execute("commit")
    return watch.result(rows)


def _decide_first(flow: FlowFile, folder: Path) -> dict[str, Any]:
    return _decide(flow, folder, "first")


def _decide_again(flow: FlowFile, folder: Path) -> dict[str, Any]:
    return _decide(flow, folder, "again")


def _decide(flow: FlowFile, folder: Path, run_id: str) -> dict[str, Any]:
    """What the tasks of the flow's DAG do, without sending."""
    ledger, engine = open_ledger(folder, LEDGER), published_engine(folder)
    run, policy = _run(folder, f"{flow.name} {run_id}"), load_policy()
    decisions: Counter[str] = Counter()
    with Stopwatch() as watch:
        for step in flow.steps:
            asked = candidates(engine, step, run, policy.holdout)
            decisions.update(decide(ledger, step, run, asked, gate(engine, step, run), policy))
    return watch.result(decisions.total(), decisions=dict(decisions))


def _read(flow: FlowFile, folder: Path) -> dict[str, Any]:
    engine, run, policy = published_engine(folder), _run(folder, "reading"), load_policy()
    rows = 0
    with Stopwatch() as watch:
        for step in flow.steps:
            rows += sum(len(chunk) for chunk in candidates(engine, step, run, policy.holdout))
    return watch.result(rows, decisions={})


def _each(flows: Iterable[FlowFile], folder: Path, work: Work) -> dict[str, Any]:
    """The work for each flow, one after the other: `flows` beside their sums, and the greatest memory."""
    found = [{"flow": flow.short, "steps": len(flow.steps), **_alone(work, flow, folder)} for flow in flows]
    total = Stopwatch()
    total.seconds = sum(each["seconds"] for each in found)
    total.cpu_seconds = sum(each["cpu_seconds"] for each in found)
    decisions: Counter[str] = Counter()
    for each in found:
        decisions.update(each["decisions"])
    return total.result(
        sum(each["rows"] for each in found),
        peak_mb=max(each["peak_mb"] for each in found),
        decisions=dict(sorted(decisions.items())),
        flows=found,
    )


def _alone(work: Work, flow: FlowFile, folder: Path) -> dict[str, Any]:
    """The work in a process of its own, all imports done: its result and its greatest memory.

    Raises RuntimeError when it fails.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(there, work, flow, folder))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise RuntimeError(f"planning {flow.name} failed; the reason stands above") from None
    finally:
        process.join()


def _report(pipe: Pipe, work: Work, flow: FlowFile, folder: Path) -> None:
    result = work(flow, folder)
    pipe.send({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024} | result)


def _run(folder: Path, run_id: str) -> Run:
    build: BuildInfo | None = published_engine(folder).published()
    if build is None:
        raise RuntimeError(f"no build to decide on is published in {folder}")
    return Run(run_id, build.build_id, AS_OF)


def _fill_vouchers(folder: Path, flows: Iterable[FlowFile], codes: int) -> None:
    pools = {step.voucher for flow in flows for step in flow.steps if step.voucher}
    with sqlite3.connect(folder / LEDGER) as ledger:
        ledger.executemany(
            "insert into voucher (code, pool, created_at) values (?, ?, ?)",
            ((f"{pool}-{i:07}", pool, AS_OF.isoformat()) for pool in sorted(pools) for i in range(codes)),
        )


def _rows(folder: Path, table: str, where: str = "") -> int:
    with sqlite3.connect(folder / LEDGER) as ledger:
        return ledger.execute(f"select count(*) from {table} {where}").fetchone()[0]
