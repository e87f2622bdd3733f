"""What `make bench` prints: a stage's steps beside their floors, growth from size to size, targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from scripts.bench.stages import GROWTH_TARGET, STAGES, TARGETS, Step, Target

SLOWEST = 10
"""Models and flows listed without -v."""

Figures = dict[str, dict[str, Any]]
"""What each step returned, by its name."""


def print_stage(name: str, figures: Figures, size: int) -> None:
    """The stage's steps, and those that were left out with the reason."""
    stage = STAGES[name]
    print(f"\n{name}: {stage.title}, {size:,} contacts")
    columns = ("", "rows", "seconds", "CPU s", "peak MB", "rows/s", "CPU µs/row", "ratio (of CPU)")
    print("  {:<36}{:>11}{:>9}{:>8}{:>9}{:>11}{:>12}  {}".format(*columns))
    for step in stage.steps:
        if step.is_listed and step.name in figures:
            found = figures[step.name]
            rate, cost = found["rows"] / found["seconds"], 1e6 * found["cpu_seconds"] / found["rows"]
            line = (
                f"  {step.title:<36}{found['rows']:>11,}{found['seconds']:>9.2f}{found['cpu_seconds']:>8.2f}"
                f"{found['peak_mb']:>9.0f}{rate:>11,.0f}{cost:>12.1f}  {_ratios(step, stage.steps, figures)}"
            )
            print(line.rstrip())
    for step in stage.steps:
        if step.name not in figures:
            print(f"  {step.title} is left out: {step.left_out(size) or 'the run ended before'}")
    for step in stage.steps:
        if "tasks" in figures.get(step.name, {}):
            _print_overhead(step, figures)


def print_models(figures: Figures, is_verbose: bool) -> None:
    """The slowest models of a build, or all."""
    models = sorted(figures["build.full"]["models"], key=lambda model: -model["seconds"])
    total = sum(model["seconds"] for model in models)
    taken = [
        f"{figures[step]['taken_over']} {when}"
        for step, when in (("build.again", "at the same moment"), ("build.later", "an hour later"))
        if step in figures
    ]
    print(f"\n  {len(models)} models; taken over: {', '.join(taken)}")
    columns = (
        "models" if is_verbose else "slowest models",
        "rows",
        "seconds",
        "CPU s",
        "share",
        "x its floor",
    )
    print("  {:<36}{:>11}{:>9}{:>8}{:>8}{:>13}".format(*columns))
    for model in models if is_verbose else models[:SLOWEST]:
        print(
            f"  {model['model']:<36}{model['rows']:>11,}{model['seconds']:>9.2f}{model['cpu_seconds']:>8.2f}"
            f"{model['seconds'] / total:>8.0%}{_times(model['seconds'] / model['floor_seconds']):>13}"
        )


def print_flows(figures: Figures, is_verbose: bool) -> None:
    """The flows that cost most CPU to plan, or all: `reading` is the share of reading the candidates."""
    flows = sorted(figures["plan.first"]["flows"], key=lambda flow: -flow["cpu_seconds"])
    read = {flow["flow"]: flow["cpu_seconds"] for flow in figures["plan.read_candidates"]["flows"]}
    again = {flow["flow"]: flow["cpu_seconds"] for flow in figures["plan.again"]["flows"]}
    said = ", ".join(f"{count:,} {reason}" for reason, count in figures["plan.first"]["decisions"].items())
    print(f"\n  {len(flows)} flows, {sum(flow['steps'] for flow in flows)} steps: {said}")
    columns = (
        "flows" if is_verbose else "costliest flows",
        *("steps", "rows", "planned", "CPU s", "reading", "again", "peak MB", "rows/s", "CPU µs/row"),
    )
    print("  {:<26}{:>6}{:>11}{:>10}{:>8}{:>9}{:>8}{:>9}{:>11}{:>12}".format(*columns))
    for flow in flows if is_verbose else flows[:SLOWEST]:
        name, rows, cpu = flow["flow"], flow["rows"], flow["cpu_seconds"]
        print(
            f"  {name:<26}{flow['steps']:>6}{rows:>11,}{flow['decisions'].get('planned', 0):>10,}{cpu:>8.2f}"
            f"{read[name] / cpu:>9.0%}{again[name]:>8.2f}{flow['peak_mb']:>9.0f}"
            f"{rows / flow['seconds']:>11,.0f}{1e6 * cpu / max(rows, 1):>12.1f}"
        )


def print_growth(runs: dict[int, Figures], stages: Sequence[str], is_verbose: bool) -> None:
    """How the CPU seconds of the stages' steps and models grow: exponents from each size to the next.

    1 is in proportion; below 1 part of the cost does not depend on the data, above 1 more data cost
    more a row. A sample that is the same at each size is left out.
    """
    sizes = sorted(runs)
    asked = [step for name in stages for step in STAGES[name].steps if step.is_listed]
    names = {"build.full": "full build"} if "build" in stages else {}
    names |= {step.name: step.title for step in asked}
    steps = {
        title: [_cost(runs[size].get(name)) for size in sizes]
        for name, title in names.items()
        if name in runs[sizes[-1]] and _grows([runs[size].get(name) for size in sizes])
    }
    _print_exponents("growth", sizes, steps, sorted(steps, key=list(steps).index))
    flows = _by_name(runs, "plan.first", "flows", "flow")
    if flows:
        _print_exponents("flows", sizes, flows, sorted(flows, key=lambda name: -(flows[name][-1] or 0)))
        found = [runs[size].get("plan.first") for size in sizes]
        peaks = "".join(f"{first['peak_mb']:>12,.0f}" if first else f"{'-':>12}" for first in found)
        print(f"  {'peak memory of a flow, MB':<36}{peaks}")
    models = _by_name(runs, "build.full", "models", "model") if "build" in stages else {}
    # What takes no time at the greatest size tells nothing.
    costly = sorted(models, key=lambda name: -(models[name][-1] or 0))
    steepest = sorted(costly[: 3 * SLOWEST], key=lambda name: -(exponent(sizes, models[name], -1) or 0))
    listed = costly if is_verbose else steepest[:SLOWEST]
    if listed:
        title = (
            "models" if is_verbose else f"steepest of the {min(len(costly), 3 * SLOWEST)} costliest models"
        )
        _print_exponents(title, sizes, models, listed)


def _grows(found: list[dict[str, Any] | None]) -> bool:
    return len({step["rows"] for step in found if step}) > 1


def _by_name(runs: dict[int, Figures], step: str, parts: str, key: str) -> dict[str, list[float | None]]:
    """The CPU seconds of a step's parts at each size."""
    costs: dict[str, list[float | None]] = {}
    for at, size in enumerate(sorted(runs)):
        for part in runs[size].get(step, {}).get(parts, []):
            costs.setdefault(part[key], [None] * len(runs))[at] = part["cpu_seconds"]
    return costs


def exponent(sizes: list[int], costs: list[float | None], at: int) -> float | None:
    """Slope of log cost over log size between the size at an index and the one before it."""
    here, before = costs[at], costs[at - 1]
    if not here or not before:
        return None
    return math.log(here / before) / math.log(sizes[at] / sizes[at - 1])


def print_targets(runs: dict[int, Figures]) -> None:
    """Each target beside what was measured at the greatest size, of seconds and of CPU seconds."""
    sizes = sorted(runs)
    figures = runs[sizes[-1]]
    print(f"\ntargets, at {sizes[-1]:,} contacts (they are meant for 1,000,000)")
    print("  {:<36}{:>9}{:>9}{:>9}  {}".format("", "at most", "seconds", "CPU s", "met (of CPU)"))
    for target in TARGETS:
        if target.step not in figures or (target.against and target.against not in figures):
            print(f"  {target.text:<36}{target.most:>9} not measured")
            continue
        if target.against is None:
            _print_target(target.text, target.most, [figures[target.step]["peak_mb"]])
        else:
            _print_target(target.text, target.most, _multiples(target, figures))
    costs = [_cost(runs[size].get("build.full")) for size in sizes]
    for at in range(1, len(sizes)):
        if (found := exponent(sizes, costs, at)) is not None:
            text = f"growth {sizes[at - 1]:,} to {sizes[at]:,}"
            _print_target(text, GROWTH_TARGET, [found])


def _multiples(target: Target, figures: Figures) -> list[float]:
    here, there = figures[target.step], figures[target.against]
    return [here[unit] / there[unit] for unit in ("seconds", "cpu_seconds")]


def _print_target(text: str, most: float, found: list[float]) -> None:
    met = ["met" if each <= most else "MISSED" for each in found]
    shown = [f"{each:,.0f}" if each >= 100 else f"{each:.2f}" for each in found]
    said = met[0] if len(met) == 1 else f"{met[0]} ({met[1]})"
    numbers = "".join(f"{each:>9}" for each in ([""] * (2 - len(shown)) + shown))
    print(f"  {text:<36}{most:>9}{numbers}  {said}")


def _print_exponents(
    title: str, sizes: list[int], costs: dict[str, list[float | None]], names: list[str]
) -> None:
    columns = "".join(f"{f'{size:,}':>12}" for size in sizes)
    pairs = "".join(f"{f'to {size:,}':>14}" for _, size in pairwise(sizes))
    print(f"\n  {title}; CPU s and exponents\n  {'':<36}{columns}{pairs}")
    for name in names:
        seconds = "".join(f"{'-' if cost is None else f'{cost:.2f}':>12}" for cost in costs[name])
        found = [exponent(sizes, costs[name], at) for at in range(1, len(sizes))]
        slopes = "".join(f"{'-' if slope is None else f'{slope:.2f}':>14}" for slope in found)
        print(f"  {name:<36}{seconds}{slopes}")


def _cost(found: dict[str, Any] | None) -> float | None:
    return found["cpu_seconds"] if found else None


def _print_overhead(step: Step, figures: Figures) -> None:
    """What Airflow adds to the same work done without it, a task."""
    found = figures[step.name]
    plain = figures.get(step.against[0])
    line = f"  {step.title}: {found['tasks']} tasks, {found['task_seconds'] / found['tasks']:.2f} s each"
    if plain:
        seconds, cpu = ((found[unit] - plain[unit]) / found["tasks"] for unit in ("seconds", "cpu_seconds"))
        line += f"; Airflow adds {seconds:.2f} s and {cpu:.2f} CPU s a task"
    idle = found["idle_cpu"]
    print(f"{line}; idle it takes {idle:.0%} of a core")


def _ratios(step: Step, steps: tuple[Step, ...], figures: Figures) -> str:
    """A step's seconds, and its CPU seconds, as multiples of those it is compared with."""
    titles = {other.name: other.title.removeprefix("floor: ") for other in steps}
    texts = []
    for name in (name for name in step.against if name in figures):
        here, there = figures[step.name], figures[name]
        rows = here["rows"] / there["rows"] if step.is_per_row else 1
        time_, cpu = (here[unit] / there[unit] / rows for unit in ("seconds", "cpu_seconds"))
        texts.append(f"{_times(time_)} ({_times(cpu)}) {titles[name]}")
    return "; ".join(texts)


def _times(ratio: float) -> str:
    return f"{ratio:.3f}x" if ratio < 0.1 else f"{ratio:.2f}x" if ratio < 1 else f"{ratio:.1f}x"
