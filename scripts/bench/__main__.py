"""`make bench`: times each stage beside its floor, at one size or several, and prints what it costs.

    python -m scripts.bench [SIZE ...] [--only build pandas] [--json FILE] [-v]

A floor is what the same result cannot cost less than, measured in the same run on the same machine:
seconds differ from machine to machine, their ratio hardly. docs/benchmark.md tells how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.bench import report
from scripts.bench.report import Figures
from scripts.bench.stages import STAGES, VENV, Step

REPOSITORY = Path(__file__).resolve().parents[2]


class StepFailed(Exception):
    """A step ended with an error; its own words are on stderr."""


def main(arguments: list[str]) -> int:
    """Measure, and print each stage as soon as it ends; what was measured is told also of a run that fails
    or is interrupted."""
    given = _arguments(arguments)
    stages = given.only or [name for name, stage in STAGES.items() if stage.is_default]
    begun = time.perf_counter()
    runs: dict[int, Figures] = {size: {} for size in given.size}
    code = 0
    try:
        for size, figures in runs.items():
            with tempfile.TemporaryDirectory(prefix="kreislauf-bench-") as folder:
                for stage in stages:
                    try:
                        for _ in _measure(Path(folder), size, stage, figures, begun):
                            _keep(given.json, runs)
                    finally:
                        _report(figures, size, stage, given.verbose)
    except StepFailed as error:
        print(f"make bench: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("make bench: interrupted", file=sys.stderr)
        code = 130
    _summarise({size: figures for size, figures in runs.items() if figures}, stages, given.verbose)
    sizes = " and ".join(f"{size:,}" for size in runs)
    print(f"\n{sizes} contacts, {os.cpu_count()} cores, {time.perf_counter() - begun:.0f} s in all.")
    return code


def _measure(folder: Path, size: int, stage: str, figures: Figures, begun: float) -> Iterator[str]:
    """Run the steps of a stage that have no figures yet, each in a process of its own; yield their names."""
    for step in STAGES[stage].steps:
        if step.name in figures:
            continue
        reason = step.left_out(size)
        at = f"{time.perf_counter() - begun:5.0f} s  {stage}: {step.title}"
        print(f"{at} is left out: {reason}" if reason else at, file=sys.stderr, flush=True)
        if not reason:
            found = figures[step.name] = _run(step, folder, size)
            cost = f"{found['seconds']:.2f} s, {found['cpu_seconds']:.2f} CPU s, {found['peak_mb']:.0f} MB"
            print(f"{'':9}{cost}", file=sys.stderr, flush=True)
            if step.name == "build.floor":
                _add_floors(figures["build.full"]["models"], found["tables"])
            yield step.name


def _run(step: Step, folder: Path, size: int) -> dict[str, Any]:
    paths = os.pathsep.join((str(REPOSITORY / "plugins"), str(REPOSITORY)))
    python = str(VENV / "bin" / "python") if step.is_in_venv else sys.executable
    ended = subprocess.run(
        [python, "-m", "scripts.bench.measure", step.name, str(folder), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    if ended.returncode != 0:
        raise StepFailed(f"the step {step.name} failed with {ended.returncode}; the reason stands above")
    return json.loads(ended.stdout.splitlines()[-1])


def _add_floors(models: list[dict[str, Any]], tables: dict[str, dict[str, float]]) -> None:
    """A model's own floor: its inputs read once, whole, and its result written once."""
    for model in models:
        model["floor_seconds"] = tables[model["model"]]["write"] + sum(
            tables[table]["read"] for table in model["reads"] if table in tables
        )


def _keep(path: Path | None, runs: dict[int, Figures]) -> None:
    """Write down what there is so far; whoever reads the file meanwhile finds a whole one."""
    if path is None:
        return
    found = {
        "cores": os.cpu_count(),
        "runs": [{"size": size, "steps": steps} for size, steps in runs.items() if steps],
    }
    written = path.with_name(f"{path.name}.part")
    written.write_text(json.dumps(found, indent=1) + "\n")
    written.replace(path)


def _report(figures: Figures, size: int, stage: str, is_verbose: bool) -> None:
    report.print_stage(stage, figures, size)
    if stage == "build" and "build.floor" in figures:
        report.print_models(figures, is_verbose)
    if stage == "plan" and {"plan.read_candidates", "plan.first", "plan.again"} <= figures.keys():
        report.print_flows(figures, is_verbose)
    sys.stdout.flush()


def _summarise(runs: dict[int, Figures], stages: list[str], is_verbose: bool) -> None:
    if len(runs) > 1:
        report.print_growth(runs, stages, is_verbose)
    if "build" in stages and runs:
        report.print_targets(runs)
    for name, stage in STAGES.items():
        if not stage.is_default and name not in stages:
            print(f"\n{name} ({stage.title}) is left out: it takes minutes; --only {name}")


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("size", nargs="*", type=int, default=[100_000], help="contacts (default 100000)")
    parser.add_argument("--only", nargs="+", choices=list(STAGES), help="only these stages")
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every model and flow")
    given = parser.parse_args(arguments)
    if min(given.size) < 100:
        parser.error("size must be at least 100, or there is nothing to measure")
    given.size = sorted(set(given.size))
    return given


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
