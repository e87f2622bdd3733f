"""`make bench`: times four stages beside their floors, and prints what they cost.

    python -m scripts.bench [SIZE] [--only build plan] [--json FILE] [-v]

A floor is what the same result cannot cost less than, measured in the same run on the same machine:
seconds differ from machine to machine, their ratio hardly. docs/benchmark.md tells how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DBT = REPOSITORY / ".venv-bench" / "bin" / "dbt"
SLOWEST = 10
"""Models listed without -v."""


@dataclass(frozen=True)
class Step:
    """A measurement: its name in scripts/bench, its title, and the steps it is compared with."""

    name: str
    title: str
    against: tuple[str, ...] = ()
    is_listed: bool = True
    needs: Path | None = None
    """A program that `make bench` sets up; the step is left out where it is missing."""

    @property
    def is_possible(self) -> bool:
        return self.needs is None or self.needs.exists()


STAGES = {
    "land": (
        "orders of two lines, from a page to typed parts",
        [
            Step("land.generate", "make the page", is_listed=False),
            Step("land.typed_load", "typed load", ("land.parse_in_python", "land.count_in_duckdb")),
            Step("land.parse_in_python", "floor: gunzip and json.loads"),
            Step("land.count_in_duckdb", "floor: DuckDB counts the page"),
        ],
    ),
    "build": (
        "raw rows to all tables",
        [
            Step("build.generate", "make raw parts", is_listed=False),
            Step("build.full", "full build", ("build.floor", "dbt.run")),
            Step("dbt.run", "the same models in dbt-duckdb", needs=DBT),
            Step("build.again", "again, same moment", ("build.full",)),
            Step("build.later", "1 % more events, an hour later", ("build.full",)),
            Step("build.floor", "floor: read and write once"),
        ],
    ),
    "plan": (
        "candidates to decisions and messages",
        [
            Step("plan.generate", "make an audience", is_listed=False),
            Step("plan.first", "decide and plan", ("plan.floor",)),
            Step("plan.again", "again, all decided before", ("plan.first",)),
            Step("plan.read_candidates", "of it: reading candidates", ("plan.first",)),
            Step("plan.floor", "floor: executemany of messages"),
        ],
    ),
    "send": (
        "messages handed over",
        [
            Step("plan.generate", "make an audience", is_listed=False),
            Step("plan.first", "plan messages", is_listed=False),
            Step("send.batched", "1,000 a request", ("send.floor", "send.single")),
            Step("send.floor", "floor: the same bytes posted"),
            Step("send.single", "one a request, a sample"),
        ],
    ),
}


class StepFailed(Exception):
    """A step ended with an error; its own words are on stderr."""


def main(arguments: list[str]) -> int:
    given = _arguments(arguments)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kreislauf-bench-") as folder:
        try:
            figures = measure(Path(folder), given.size, given.only or list(STAGES), begun)
        except StepFailed as error:
            print(f"make bench: {error}", file=sys.stderr)
            return 1
    for stage in given.only or STAGES:
        _print_stage(stage, figures)
    if "build.full" in figures:
        _print_models(figures, None if given.verbose else SLOWEST)
    if given.json:
        report = {"size": given.size, "cores": os.cpu_count(), "steps": figures}
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{given.size:,} contacts, {os.cpu_count()} cores, {time.perf_counter() - begun:.0f} s in all.")
    return 0


def measure(folder: Path, size: int, stages: list[str], begun: float) -> dict[str, dict[str, Any]]:
    """Run the steps of the stages, each once and in a process of its own; their results by name."""
    figures: dict[str, dict[str, Any]] = {}
    for stage in stages:
        for step in STAGES[stage][1]:
            if step.is_possible and step.name not in figures:
                print(
                    f"{time.perf_counter() - begun:5.0f} s  {stage}: {step.title}",
                    file=sys.stderr,
                    flush=True,
                )
                figures[step.name] = _run(step.name, folder, size)
    if "build.full" in figures:
        _add_floors(figures["build.full"]["models"], figures["build.floor"]["tables"])
    return figures


def _run(name: str, folder: Path, size: int) -> dict[str, Any]:
    paths = os.pathsep.join((str(REPOSITORY / "plugins"), str(REPOSITORY)))
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.bench.measure", name, str(folder), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    if ended.returncode != 0:
        raise StepFailed(f"the step {name} failed with {ended.returncode}; the reason stands above")
    return json.loads(ended.stdout.splitlines()[-1])


def _add_floors(models: list[dict[str, Any]], tables: dict[str, dict[str, float]]) -> None:
    """A model's own floor: its inputs read once, whole, and its result written once."""
    for model in models:
        model["floor_seconds"] = tables[model["model"]]["write"] + sum(
            tables[table]["read"] for table in model["reads"] if table in tables
        )


def _print_stage(stage: str, figures: dict[str, dict[str, Any]]) -> None:
    title, steps = STAGES[stage]
    print(f"\n{stage}: {title}")
    columns = ("", "rows", "seconds", "CPU s", "peak MB", "rows/s", "CPU µs/row", "ratio (of CPU)")
    print("  {:<32}{:>11}{:>9}{:>8}{:>9}{:>11}{:>12}  {}".format(*columns))
    for step in (step for step in steps if step.is_listed and step.name in figures):
        found = figures[step.name]
        rate, cost = found["rows"] / found["seconds"], 1e6 * found["cpu_seconds"] / found["rows"]
        line = (
            f"  {step.title:<32}{found['rows']:>11,}{found['seconds']:>9.2f}{found['cpu_seconds']:>8.2f}"
            f"{found['peak_mb']:>9.0f}{rate:>11,.0f}{cost:>12.1f}  {_ratios(step, steps, figures)}"
        )
        print(line.rstrip())


def _ratios(step: Step, steps: list[Step], figures: dict[str, dict[str, Any]]) -> str:
    """A step's seconds, and its CPU seconds, for each row, as multiples of those it is compared with."""
    titles = {other.name: other.title.removeprefix("floor: ") for other in steps}
    texts = []
    for name in (name for name in step.against if name in figures):
        here, there = figures[step.name], figures[name]
        time_, cpu = (
            (here[unit] / here["rows"]) / (there[unit] / there["rows"]) for unit in ("seconds", "cpu_seconds")
        )
        texts.append(f"{_times(time_)} ({_times(cpu)}) {titles[name]}")
    return "; ".join(texts)


def _times(ratio: float) -> str:
    return f"{ratio:.3f}x" if ratio < 0.1 else f"{ratio:.2f}x" if ratio < 1 else f"{ratio:.1f}x"


def _print_models(figures: dict[str, dict[str, Any]], most: int | None) -> None:
    models = sorted(figures["build.full"]["models"], key=lambda model: -model["seconds"])
    total = sum(model["seconds"] for model in models)
    taken = figures["build.again"]["taken_over"], figures["build.later"]["taken_over"]
    print(f"\n  {len(models)} models; taken over: {taken[0]} at the same moment, {taken[1]} an hour later")
    columns = ("slowest models" if most else "models", "rows", "seconds", "CPU s", "share", "x its floor")
    print("  {:<32}{:>11}{:>9}{:>8}{:>8}{:>13}".format(*columns))
    for model in models[:most]:
        print(
            f"  {model['model']:<32}{model['rows']:>11,}{model['seconds']:>9.2f}{model['cpu_seconds']:>8.2f}"
            f"{model['seconds'] / total:>8.0%}{_times(model['seconds'] / model['floor_seconds']):>13}"
        )


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("size", nargs="?", type=int, default=100_000, help="contacts (default 100000)")
    parser.add_argument("--only", nargs="+", choices=list(STAGES), help="only these stages")
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every model, not the slowest only")
    given = parser.parse_args(arguments)
    if given.size < 100:
        parser.error("size must be at least 100, or there is nothing to measure")
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
