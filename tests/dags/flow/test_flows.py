"""What holds for every flow: templates find their fields, the graph reads as the flow, the right build."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kreislauf.delivery.fields import STANDARD
from kreislauf.delivery.templates import LANGUAGES, Templates
from kreislauf.ledger.schema import Channel
from kreislauf.warehouse.models import load_models

REPOSITORY = Path(__file__).parents[3]
FILES = sorted((REPOSITORY / "dags" / "flow").glob("*.py"))


@pytest.fixture(scope="module")
def models():
    return load_models(REPOSITORY / "include" / "sql")


def load(path: Path) -> Any:
    import runpy

    return SimpleNamespace(**runpy.run_path(str(path)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_merge_field_of_a_template_is_given_by_its_trigger_or_its_step(path, models):
    for step in load(path).flow.resolve(path):
        given = {*models[f"triggers.{step.trigger}"].columns, *STANDARD, *step.fields}
        given |= {"voucher_code"} if step.voucher else set()
        items = models[f"triggers.{step.trigger}_items"].columns if step.has_items else ()
        templates = [] if step.channel is Channel.AUDIENCE else step.templates.values()
        for template, language in itertools.product(templates, LANGUAGES):
            sample = dict(Templates().load(template, language).sample)
            wanted_of_items = {name for item in sample.pop("items", []) for name in item}
            assert set(sample) <= given, f"{template}.{language}"
            assert wanted_of_items <= set(items), f"{template}.{language}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_graph_reads_as_the_flow(path):
    module = load(path)
    steps = module.flow.resolve(path)
    tasks = module.dag.task_dict
    first = {step.name: f"{step.name}.decide" for step in steps}
    last = {step.name: f"{step.name}.{'send' if step.channel else 'decide'}" for step in steps}
    asked = {step.name: f"{step.name}.ask_approval" for step in steps if step.approve_above and step.channel}
    assert set(tasks) == {"trigger", "account", *first.values(), *asked.values(), *last.values()}

    # Each step follows those before it, the first the trigger, and there is no arrow beside these.
    arrows = set()
    for step in steps:
        inside = [first[step.name], *([asked[step.name]] if step.name in asked else []), last[step.name]]
        arrows |= {(task, other) for task, other in itertools.pairwise(inside) if task != other}
    for step in steps:
        before = {last[previous.step] for previous in step.previous} or {"trigger"}
        arrows |= {(name, first[step.name]) for name in before}
    followed = {previous.step for step in steps for previous in step.previous}
    arrows |= {(last[step.name], "account") for step in steps if step.name not in followed}
    assert {(task, other) for task in tasks for other in tasks[task].downstream_task_ids} == arrows

    words = {"abandoned_cart": "cart abandoned · until ordered", "welcome": "subscribed"}
    assert tasks["trigger"].task_display_name == words.get(path.stem, module.flow.in_words())
    assert module.dag.fileloc == str(path)


def event(as_of: str, build_id: str) -> Any:
    from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult

    return AssetEventDagRunReferenceResult(
        asset={"name": "warehouse.published", "uri": "kreislauf://warehouse/published", "extra": {}},
        extra={"as_of": as_of, "build_id": build_id},
        source_task_id="publish",
        source_dag_id="build_warehouse",
        source_run_id="run",
        source_map_index=-1,
        source_aliases=[],
        timestamp=datetime(2026, 3, 10, tzinfo=UTC),
    )


def context(*events: Any, as_of: str | None = None) -> dict[str, Any]:
    from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

    return {
        "triggering_asset_events": TriggeringAssetEventsAccessor.build(events),
        "params": {"as_of": as_of},
    }


def test_of_several_builds_that_started_a_run_the_youngest_is_read(circuit):
    from kreislauf.flow.dag import moment_of

    circuit.publish({})
    events = [event("2026-03-10T10:00:00Z", "b2"), event("2026-03-10T09:00:00Z", "b1")]
    assert moment_of(context(*events)) == {"build_id": "b2", "as_of": "2026-03-10T10:00:00Z"}
    replayed = moment_of(context(*events, as_of="2026-03-01T00:00:00Z"))
    assert replayed == {"build_id": "b2", "as_of": "2026-03-01T00:00:00Z"}


def test_a_run_by_hand_reads_the_published_build(circuit):
    from kreislauf.flow.dag import moment_of

    build = circuit.publish({})
    assert moment_of(context()) == {"build_id": build.build_id, "as_of": "2026-03-10T12:00:00Z"}
