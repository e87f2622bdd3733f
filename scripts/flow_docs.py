"""The pages of docs/flows/: one for each flow, with its picture, and the list of all in README.md.

Everything is read from the flow's file, the SQL it names, its templates and include/policy.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kreislauf.delivery.fields import STANDARD
from kreislauf.delivery.templates import LANGUAGES, Templates
from kreislauf.delivery.transport import From
from kreislauf.flow.actions import Action, Branch, Test
from kreislauf.flow.conditions import Condition, Fact, Member
from kreislauf.flow.files import FlowFile, read_all
from kreislauf.flow.model import Step
from kreislauf.flow.policy import load_policy
from kreislauf.ledger.schema import Channel
from kreislauf.warehouse.models import Model
from kreislauf.warehouse.schema import Schema
from scripts.flow_picture import flow_svg
from scripts.flow_words import actions, condition_of, delay_of, guards, tests_of

LIST = "<!-- written by `make docs` from here on -->"
"""In README.md: what stands above is written by people and kept."""

SENDER = From("hello@shop.example", "Shop", "Musterweg 1, 10115 Berlin", "https://shop.example")
LONGEST = 160
"""Letters of a part that a page shows."""


def flow_pages(models: Mapping[str, Model], schema: Schema, readme: str) -> dict[str, str]:
    """The files of docs/flows/ by name. `readme`: README.md as it is."""
    flows, templates = read_all(), Templates()
    pages = {f"{flow.short}.svg": flow_svg(flow) for flow in flows.values()}
    pages |= {f"{flow.short}.md": _page(flow, models, schema, templates) for flow in flows.values()}
    written = readme.partition(LIST)[0].rstrip()
    return pages | {"README.md": "\n".join([written, "", LIST, "", *_index(flows.values()), ""])}


def _index(flows: Iterable[FlowFile]) -> Iterator[str]:
    yield "| flow | what it does | channels | ends |"
    yield "|---|---|---|---|"
    for flow in flows:
        channels = ", ".join(dict.fromkeys(str(step.channel) for step in flow.steps if step.channel))
        goal = flow.flow.goal.replace("_", " ") if flow.flow.goal else "with its last step"
        yield f"| [{flow.short}]({flow.short}.md) | {_sentence(flow)} | {channels} | {_cell(goal)} |"


def _page(flow: FlowFile, models: Mapping[str, Model], schema: Schema, templates: Templates) -> str:
    trigger = models[f"triggers.{flow.flow.trigger}"]
    file = f"dags/flow/{flow.path.name}"
    lines = [
        f"# {flow.short}",
        "",
        f"Written by `make docs` from [{file}](../../{file}) and what it names; do not edit.",
        "",
        flow.doc.strip(),
        "",
        f"![{flow.flow.in_words()}]({flow.short}.svg)",
        "",
        f"**Trigger** {_table(trigger.name)}: {trigger.sentence} One journey for each "
        f"{', '.join(f'`{column}`' for column in trigger.grain)}.",
        "",
        *_goal(flow, models),
        "## Steps",
        "",
        "| step | channel | when | only | test | expires |",
        "|---|---|---|---|---|---|",
        *_steps(flow),
        "",
        *_conditions(flow, models),
        "## Guards",
        "",
        "Asked when a message is planned, most of them again before it goes out: [policy.md](../policy.md).",
        "",
        "| guard | here |",
        "|---|---|",
        *(f"| {name} | {_cell(value)} |" for name, value in guards(flow, load_policy())),
        "",
        "## What it says",
        "",
        f"`make preview flow={flow.short}` shows every message as a page.",
        "",
        "| step | language | message | template |",
        "|---|---|---|---|",
        *_messages(flow, templates),
        "",
        "## What templates may use",
        "",
        *_fields(flow, trigger, schema),
        "",
    ]
    return "\n".join(lines)


def _goal(flow: FlowFile, models: Mapping[str, Model]) -> list[str]:
    if flow.flow.goal is None:
        return []
    told = _told(flow.steps[0].goal, models)
    return [f"**Goal** `{flow.flow.goal}`{f': {told}' if told else ''} It ends the journey.", ""]


def _steps(flow: FlowFile) -> Iterator[str]:
    steps = {step.name: step for step in flow.steps}
    for written in actions(flow.flow.steps):
        step = steps[written.name]
        if isinstance(written, Action):
            expires = written.expires if isinstance(written.expires, str) else ""
            when = delay_of(written) + _side(step)
            cells = (str(step.channel), when, condition_of(written), tests_of(written), expires)
        else:
            about = f"if {written.when}" if isinstance(written, Branch) else f"split: {', '.join(step.sides)}"
            cells = ("branch", "with the step before" + _side(step), about, "", "")
        yield f"| `{written.name}` | {' | '.join(map(_cell, cells))} |"


def _side(step: Step) -> str:
    return f" ({step.previous[0].step}: {step.side})" if step.side else ""


def _conditions(flow: FlowFile, models: Mapping[str, Model]) -> list[str]:
    asked = {step.condition for step in flow.steps if step.condition is not None}
    told = sorted({text for condition in asked if (text := _told(condition, models))})
    return ["**Conditions**", "", *(f"- {text}" for text in told), ""] if told else []


def _told(condition: Condition | None, models: Mapping[str, Model]) -> str:
    """The SQL file's sentence with a link to its table; "" for what needs none."""
    match condition:
        case Fact(name):
            model = models[f"conditions.{name}"]
        case Member(segment):
            model = models[f"segments.{segment}"]
        case _:
            return ""
    return f"{_table(model.name)}: {model.sentence}"


def _messages(flow: FlowFile, templates: Templates) -> Iterator[str]:
    written = {action.name: action for action in actions(flow.flow.steps)}
    for step in flow.steps:
        action = written[step.name]
        if step.channel is None or not isinstance(action, Action):
            continue
        if step.channel is Channel.AUDIENCE:
            do = step.templates[""].replace("/", " the audience ")
            yield f"| `{step.name}` | | {do} | |"
            continue
        subject = getattr(action, "subject", None)
        subjects = tuple(subject.variants) if isinstance(subject, Test) else ("",)
        for variant, template in step.templates.items():
            for language in LANGUAGES:
                suffix = templates.load(template, language).suffix
                path = f"include/templates/{template}.{language}.{suffix}"
                shown = [_shown(templates.preview(template, language, SENDER, which)) for which in subjects]
                name = f"`{step.name}`" + (f", {variant}" if variant else "")
                yield f"| {name} | {language} | {_cell(' / '.join(shown))} | [{template}](../../{path}) |"


def _shown(parts: Mapping[str, str]) -> str:
    """What is seen of a message at first: a mail's subject, else its parts that are words."""
    if "subject" in parts and "html" in parts:
        return parts["subject"]
    words = [text for name, text in parts.items() if text and not name.endswith(("url", "image", "tag"))]
    text = " · ".join(" ".join(one.split()) for one in words)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _fields(flow: FlowFile, trigger: Model, schema: Schema) -> Iterator[str]:
    step = flow.steps[0]
    keys = ("contact_id", "occurrence_id", "occurred_at")
    columns = [name for name in schema[trigger.name] if name not in keys]
    yield f"- of the person: {_names(STANDARD)}"
    yield f"- of the trigger: {_names(columns) or 'nothing more'}"
    if step.has_items:
        places = ("contact_id", "occurrence_id", "position")
        items = [name for name in schema[f"{trigger.name}_items"] if name not in places]
        yield f"- of each of `items` ({_table(f'{trigger.name}_items')}): {_names(items)}"
    own = sorted({name for each in flow.steps for name in each.fields})
    if own:
        yield f"- of the flow: {_names(own)}"
    pools = {each.name: each.voucher for each in flow.steps if each.voucher}
    for name, pool in pools.items():
        yield f"- in `{name}`: `voucher_code`, a code of the pool `{pool}` for each message"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(flow: FlowFile) -> str:
    return _cell(" ".join(flow.doc.split()).partition(". ")[0].rstrip(".") + ".")


def _table(name: str) -> str:
    layer, _, table = name.partition(".")
    return f"[{name}](../tables/{layer}.md#{table})"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
