"""Audits a build: SQL counts what breaks a rule, Great Expectations judges the counts and reports.

All rules of a table are counted in one query by the engine, so that no rows leave it and every
engine is audited alike; Great Expectations sees one row with a column for each rule.
"""

from __future__ import annotations

import html
import logging
import os
import shutil
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kreislauf.places import home
from kreislauf.quality.checks import COLLAPSE_FROM_ROWS, Check, checks_for
from kreislauf.warehouse.engines.base import BuildInfo, Engine
from kreislauf.warehouse.models import Model


@dataclass(frozen=True)
class Breach:
    """A rule that was broken, how often, and keys of some rows that broke it. Reads as a sentence."""

    check: Check
    count: int
    keys: tuple[str, ...]
    detail: str = ""

    def __str__(self) -> str:
        found = self.detail or f"{self.count} {'row' if self.count == 1 else 'rows'}"
        keys = f"; for example {', '.join(self.keys)}" if self.keys else ""
        return f"{self.check.title}: broken by {found}{keys}"


@dataclass(frozen=True)
class AuditReport:
    """How many rules were checked, and the broken ones that only warn."""

    rules: int
    warnings: list[Breach] = field(default_factory=list)


class AuditFailed(Exception):
    """The build breaks rules and must not be published."""

    def __init__(self, build: BuildInfo, breaches: Sequence[Breach], docs: Path):
        self.breaches = list(breaches)
        more = f" and {len(breaches) - 1} more" if len(breaches) > 1 else ""
        first = breaches[0]
        self.headline = f"{first.check.title}: broken by {first.detail or first.count}{more}"
        listed = "\n".join(f"  {breach}" for breach in breaches)
        super().__init__(
            f"build {build.build_id} breaks {len(breaches)} of its rules and is not published:\n{listed}\n"
            f"All rules and counts: {docs}. Mend the data, the SQL of the table, or the rule "
            "(plugins/kreislauf/quality/expectations/), then run build_warehouse again."
        )


def audit(engine: Engine, build: BuildInfo, models: Iterable[Model], docs: Path) -> AuditReport:
    """Checks the models' tables of a build and writes Data Docs: the page `docs`.

    Raises:
        AuditFailed: a rule of severity error is broken. The Data Docs are written then too.
    """
    checks = checks_for(models, build.as_of)
    counts = count_breaches(engine, build, checks)
    evidence = {
        check.title: Breach(check, counts[check.title], *_evidence(engine, build, check))
        for check in checks
        if counts[check.title]
    }
    passed = _judge(checks, counts, evidence, docs)
    breaches = [evidence[check.title] for check in checks if not passed[check.title]]
    errors = [breach for breach in breaches if breach.check.severity == "error"]
    if errors:
        raise AuditFailed(build, errors, docs)
    return AuditReport(len(checks), breaches)


def count_breaches(engine: Engine, build: BuildInfo, checks: Sequence[Check]) -> dict[str, int]:
    """Breaches by the check's title: one query a table."""
    counts = {
        check.title: int(_collapsed(engine, build, check) is not None) for check in checks if not check.count
    }
    by_table: dict[str, list[Check]] = {}
    for check in checks:
        if check.count:
            by_table.setdefault(check.table, []).append(check)
    for mine in by_table.values():
        columns = ", ".join(f"{check.count} as c{i}" for i, check in enumerate(mine))
        [row] = engine.query(f"select {columns}", build_id=build.build_id)
        counts |= {check.title: row[f"c{i}"] for i, check in enumerate(mine)}
    return counts


def docs_folder(build_id: str) -> Path:
    """Where the Data Docs of a build are: `<KREISLAUF_HOME>/data_docs/<build_id>`."""
    return home() / "data_docs" / build_id


def drop_docs(build_ids: Iterable[str]) -> None:
    """Remove the Data Docs of builds that are gone."""
    for build_id in build_ids:
        shutil.rmtree(docs_folder(build_id), ignore_errors=True)


def _collapsed(engine: Engine, build: BuildInfo, check: Check) -> str | None:
    """What a table shrank from and to, if it shrank too far. A look into the past may be smaller."""
    published = engine.published()
    if published is None or build.as_of < published.as_of or check.keep is None:
        return None
    before, now = (
        published.tables.get(check.table, 0),
        engine.build(build.build_id).tables.get(check.table, 0),
    )
    if before < COLLAPSE_FROM_ROWS or now >= before * check.keep:
        return None
    return f"a fall from {before} rows in the published build to {now}"


def _evidence(engine: Engine, build: BuildInfo, check: Check) -> tuple[tuple[str, ...], str]:
    """Keys of some breaching rows, without addresses; or in words what happened."""
    if check.sample is None:
        return (), _collapsed(engine, build, check) or ""
    rows = engine.query(check.sample, build_id=build.build_id)
    return tuple(" / ".join(_shown(column, value) for column, value in row.items()) for row in rows), ""


def _shown(column: str, value: Any) -> str:
    return f"({column} not shown)" if column == "email" or "@" in str(value) else str(value)


@contextmanager
def _unless_imported(package: str) -> Generator[None]:
    """Let an import find no such package. Great Expectations would import all of pyspark, which takes
    seconds and looks for a Spark of its own; what is validated here is a frame of counts.
    """
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None
    try:
        yield
    finally:
        del sys.modules[package]


def _judge(
    checks: Sequence[Check], counts: dict[str, int], evidence: dict[str, Breach], docs: Path
) -> dict[str, bool]:
    """Great Expectations' verdict on each check, by its title; its page of them is written to `docs`."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # Before the import, which tells hundreds of lines.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with _unless_imported("pyspark"):
        import great_expectations as gx
    import pandas
    from great_expectations.expectations import ExpectColumnMaxToBeBetween

    from kreislauf.quality.docs import write

    frame = pandas.DataFrame({title: [count] for title, count in counts.items()})
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # All at once: a suite that is added to one by one is checked whole each time.
    expectations = [
        ExpectColumnMaxToBeBetween(
            column=check.title,
            max_value=0,
            severity="critical" if check.severity == "error" else "warning",
            description=_described(check, evidence.get(check.title)),
        )
        for check in checks
    ]
    suite = context.suites.add(gx.ExpectationSuite(name=docs.stem, expectations=expectations))
    batch = context.data_sources.add_pandas("warehouse").add_dataframe_asset(docs.stem)
    definition = gx.ValidationDefinition(
        name=docs.stem, suite=suite, data=batch.add_batch_definition_whole_dataframe(docs.parent.name)
    )
    results = context.validation_definitions.add(definition).run(batch_parameters={"dataframe": frame})
    passed = {result.expectation_config.kwargs["column"]: bool(result.success) for result in results.results}
    for result in results.results:
        # The page has a section for each "column": let it be the table.
        result.expectation_config.kwargs["column"] = result.expectation_config.kwargs["column"].split(":")[0]
    write(results, f"Audit of {docs.stem}, build {docs.parent.name}", docs)
    return passed


def _described(check: Check, breach: Breach | None) -> str:
    """The rule and what broke it, for the page, which takes HTML and templates with $."""
    lead = "(warns only) " if check.severity == "warn" else ""
    found = breach.detail or f"for example {', '.join(breach.keys)}" if breach else ""
    text = f"{lead}{check.rule}" + (f" — {found}" if found else "")
    return html.escape(text).replace("$", "&#36;")
