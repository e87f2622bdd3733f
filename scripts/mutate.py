"""Do the tests of the SQL files notice when one of them is wrong? Says which faults none noticed.

python -m scripts.mutate                       every file, then a table by layer
python -m scripts.mutate scores/rfm core       a file, a layer; with the faults that went unnoticed

What a file came to is kept in var/mutation until the file, its cases or the tables that it reads are
changed, so that a run can be interrupted and goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from functools import cache
from pathlib import Path

from kreislauf.places import INCLUDE, REPOSITORY, home
from kreislauf.warehouse import mutation
from kreislauf.warehouse.models import Model, ModelError, load_models
from kreislauf.warehouse.mutation import Mutant, Report, mutate
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import CaseError, load_cases
from scripts.models import find

SQL = INCLUDE / "sql"
CASES = REPOSITORY / "tests" / "sql"
KEPT = home() / "mutation"


def main() -> int:
    """0 when in every file at least the wanted share was noticed."""
    arguments = _arguments()
    try:
        names = _chosen(arguments.files)
    except (ModelError, LookupError) as error:
        sys.exit(str(error))
    reports: dict[str, Report] = {}
    broken: list[str] = []
    interrupted = False
    try:
        for done, (name, report) in enumerate(_reports(names, arguments.processes), 1):
            if isinstance(report, Report):
                reports[name] = report
                said = f"{report.killed} of {report.total} noticed"
            else:
                broken.append(name)
                said = str(report)
            print(f"[{done}/{len(names)}] {name}: {said}", file=sys.stderr, flush=True)
    except (KeyboardInterrupt, BrokenProcessPool):  # the workers may end first
        interrupted = True
        print(f"\ninterrupted after {len(reports)} of {len(names)} files; run it again to go on",
              file=sys.stderr)  # fmt: skip
    if arguments.files or arguments.verbose:
        _print_survivors({name: reports[name] for name in names if name in reports})
    _print_layers(reports)
    low = [
        name for name, report in reports.items() if report.killed < arguments.at_least / 100 * report.total
    ]
    if low:
        print(f"\nbelow {arguments.at_least:.0f} %: {', '.join(sorted(low))}")
    if broken:
        print(f"\nwith cases that do not fit the file, and so not run: {', '.join(sorted(broken))}")
    return 130 if interrupted else 1 if low or broken else 0


def _reports(names: list[str], processes: int | None) -> Iterator[tuple[str, Report | Exception]]:
    """As they become ready: what may be known begins, then the longest files."""
    order = sorted(names, key=lambda name: (not _kept(name).is_file(), -len(_models()[name].sql)))
    with ProcessPoolExecutor(processes, initializer=signal.signal, initargs=_END_AT_ONCE) as pool:
        running = {pool.submit(_report, name): name for name in order}
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


_END_AT_ONCE = (signal.SIGINT, signal.SIG_DFL)
"""What the workers do when interrupted; the parent says so."""


def _report(name: str) -> Report | Exception:
    model, schema = _models()[name], _schema()
    cases = CASES / f"{name.replace('.', '/')}.yaml"
    try:
        kept, mark = _kept(name), _mark(model, cases, schema)
        if kept.is_file() and (found := json.loads(kept.read_text()))["mark"] == mark:
            return Report(found["killed"], tuple(Mutant(**mutant) for mutant in found["survivors"]))
        report = mutate(model, load_cases(cases), schema)
    except (ModelError, CaseError, FileNotFoundError) as error:
        return error
    KEPT.mkdir(parents=True, exist_ok=True)
    half = kept.with_suffix(".half")
    half.write_text(json.dumps({"mark": mark, **asdict(report)}))
    half.replace(kept)
    return report


def _kept(name: str) -> Path:
    return KEPT / f"{name}.json"


def _mark(model: Model, cases: Path, schema: Schema) -> str:
    """Changes with whatever the report depends on."""
    read = {table: schema[table] for table in model.depends_on}
    parts = [Path(mutation.__file__).read_text(), model.sql, cases.read_text(), json.dumps(read)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _models() -> dict[str, Model]:
    return load_models(SQL, check=False)  # one broken file is no reason to stop


@cache
def _schema() -> Schema:
    """Each worker's own: a database does not survive the fork."""
    return Schema(_models())


def _chosen(files: list[str]) -> list[str]:
    """The files' tables, of a layer all.

    Raises:
        LookupError: there is neither such a file nor such a layer; says the likely ones.
    """
    names = [name for name, model in _models().items() if model.is_file]
    layers = {name.partition(".")[0] for name in names}
    wanted = {given if given in layers else find(given, names) for given in files}
    return [name for name in names if not wanted or name in wanted or name.partition(".")[0] in wanted]


def _print_survivors(reports: dict[str, Report]) -> None:
    for name, report in reports.items():
        print(f"{name}: {report.killed} of {report.total} noticed")
        for mutant in report.survivors:
            print(f"  include/sql/{name.replace('.', '/')}.sql:{mutant.line}: {mutant.what}")
    print()


def _print_layers(reports: dict[str, Report]) -> None:
    """A Markdown table."""
    layers: dict[str, list[str]] = {}
    for name in _models():
        if name in reports:
            layers.setdefault(name.partition(".")[0], []).append(name)
    print("| layer | files | faults | noticed | share | lowest |\n|---|---:|---:|---:|---:|---|")
    for layer, names in layers.items():
        _print_line(layer, {name: reports[name] for name in names})
    _print_line("all", reports)


def _print_line(label: str, reports: dict[str, Report]) -> None:
    killed = sum(report.killed for report in reports.values())
    total = sum(report.total for report in reports.values())
    shares = {name: report.killed / report.total for name, report in reports.items() if report.total}
    lowest = min(shares, key=lambda name: (shares[name], name), default=None)
    named = f"{lowest} {shares[lowest]:.0%}" if lowest else ""
    share = f"{killed / total:.1%}" if total else ""
    print(f"| {label} | {len(reports)} | {total:,} | {killed:,} | {share} | {named} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help="layer/table or layer; default: all")
    parser.add_argument("--at-least", type=float, default=80, metavar="PERCENT", help="default: 80")
    parser.add_argument("--processes", type=int, help="default: one a core")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what was not noticed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
