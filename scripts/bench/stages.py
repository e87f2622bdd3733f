"""What `make bench` measures: stages, their steps, what each is compared with, and the targets."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

VENV = Path(__file__).resolve().parents[2] / ".venv-bench"
"""Where dbt and Cosmos stand."""


@dataclass(frozen=True)
class Step:
    """A measurement: its name in scripts/bench, its title, and the steps it is compared with."""

    name: str
    title: str
    against: tuple[str, ...] = ()
    is_listed: bool = True
    is_per_row: bool = True
    """Whether it is compared by its cost for each row, and not by what it costs as a whole."""
    needs: str | None = None
    """A program of `.venv-bench` without which the step is left out."""
    is_in_venv: bool = False
    """Whether the step itself runs in `.venv-bench`."""
    most: int | None = None
    """Contacts above which the step would take too long."""

    def left_out(self, size: int) -> str | None:
        """Why the step is not measured here; None if it is."""
        if self.needs and not shutil.which(self.needs, path=str(VENV / "bin")):
            return f"{VENV.name} has no {self.needs}; `make bench` sets it up"
        if self.most and size > self.most:
            return f"it is measured up to {self.most:,} contacts"
        return None


@dataclass(frozen=True)
class Stage:
    """Steps in the order they run in, each in a process of its own but all in one folder."""

    title: str
    steps: tuple[Step, ...]
    is_default: bool = True


_RAW = Step("build.generate", "make raw parts", is_listed=False)
_DBT = Step("dbt.run", "the same models in dbt-duckdb", needs="dbt")

STAGES = {
    "land": Stage(
        "orders of two lines, from a page to typed parts",
        (
            Step("land.generate", "make the page", is_listed=False),
            Step("land.typed_load", "typed load", ("land.parse_in_python", "land.count_in_duckdb")),
            Step("land.parse_in_python", "floor: gunzip and json.loads"),
            Step("land.count_in_duckdb", "floor: DuckDB counts the page"),
        ),
    ),
    "build": Stage(
        "raw rows to all tables",
        (
            _RAW,
            Step("build.full", "full build", ("build.floor", "dbt.run")),
            Step("build.floor", "floor: read and write once"),
            _DBT,
            Step("postgres.full", "full build on PostgreSQL", ("build.full",), most=100_000),
            Step("build.again", "again, same moment", ("build.full",), is_per_row=False),
            Step("build.recorded", "again, once memberships are recorded", ("build.full",), is_per_row=False),
            Step("build.later", "1 % more events, an hour later", ("build.full",), is_per_row=False),
        ),
    ),
    "pandas": Stage(
        "three models beside plain pandas",
        (
            _RAW,
            Step("build.full", "full build", is_listed=False),
            *(
                step
                for name in ("core.purchase_history", "scores.rfm", "reports.cohort_retention")
                for step in (
                    Step(f"alone.{name.partition('.')[2]}", name, (f"frames.{name.partition('.')[2]}",)),
                    Step(f"frames.{name.partition('.')[2]}", f"{name} in pandas"),
                )
            ),
        ),
    ),
    "plan": Stage(
        "all flows: candidates to decisions and messages",
        (
            _RAW,
            Step("build.full", "full build", is_listed=False),
            Step("plan.read_candidates", "reading the candidates", ("plan.first",)),
            Step("plan.first", "decide and plan", ("plan.floor",)),
            Step("plan.again", "again, nothing new", ("plan.first",)),
            Step("plan.floor", "floor: executemany of the decisions"),
        ),
    ),
    "send": Stage(
        "messages handed over",
        (
            Step("audience.generate", "make an audience", is_listed=False),
            Step("audience.plan", "plan them: a message to each"),
            Step("send.batched", "1,000 a request", ("send.floor", "send.naive", "send.single")),
            Step("send.floor", "floor: the same bytes posted"),
            Step("send.naive", "naive: a loop of one a request"),
            Step("send.single", "one a request, with the ledger"),
        ),
    ),
    "airflow": Stage(
        "raw rows to all tables, in Airflow",
        (
            _RAW,
            Step("build.full", "the build in one process"),
            _DBT,
            Step("scheduler.kreislauf", "build_warehouse in Airflow", ("build.full", "scheduler.cosmos")),
            Step(
                "scheduler.cosmos",
                "dbt's models as Cosmos' tasks",
                ("dbt.run",),
                needs="dbt",
                is_in_venv=True,
            ),
        ),
        is_default=False,
    ),
}
"""By name. A step that stands in two stages is measured once."""


@dataclass(frozen=True)
class Target:
    """The most that a step may cost, as a multiple of another or in MB."""

    text: str
    step: str
    against: str | None
    most: float


TARGETS = (
    Target("full build / floor", "build.full", "build.floor", 3),
    Target("full build / dbt", "build.full", "dbt.run", 1),
    Target("an hour later / full build", "build.later", "build.full", 0.25),
    Target("peak memory of a full build, MB", "build.full", None, 1024),
    Target("peak memory an hour later, MB", "build.later", None, 1024),
    Target("peak memory of planning, MB", "plan.first", None, 1024),
)
GROWTH_TARGET = 1.1
"""The greatest exponent with which a full build's cost may grow with its contacts."""
