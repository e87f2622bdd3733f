"""`make preview flow=abandoned_cart [as_of=…] [contact=…]`: who would get what, and what it looks like.

Decides the flow as of a moment (default: the published build's) and takes it back. Counts are printed;
up to five messages a step are written to var/preview/<flow>/, as pages to look at. They hold what the
people would read, so only you may read the files. Where nobody would get a step now, its template is shown
with its own example.
"""

from __future__ import annotations

import argparse
import html
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kreislauf.delivery.templates import LANGUAGES, Templates
from kreislauf.delivery.transport import From
from kreislauf.flow import why
from kreislauf.flow.decide import Run
from kreislauf.flow.files import FlowFile, find
from kreislauf.flow.policy import load_policy
from kreislauf.flow.preview import Preview, preview
from kreislauf.flow.sentences import REASONS
from kreislauf.flow.summary import table
from kreislauf.ledger.schema import Channel, Reason
from kreislauf.places import home
from scripts import stores

_STYLE = """
body { font: 15px system-ui; margin: 2em }
td { padding: .4em 1em; border-top: 1px solid #ccc; vertical-align: top }
dt { color: #666 }
dd { margin: 0 0 .4em; white-space: pre-wrap }
"""
WEB = "https://web.example"
NOBODY = From("hello@shop.example", "Shop", "Musterweg 1, 10115 Berlin", "https://shop.example")
"""Who writes in an example, without an installation."""


@dataclass(frozen=True)
class Page:
    """One message to look at: what it is, and its parts."""

    title: str
    about: str
    parts: Mapping[str, str]


def main(arguments: list[str]) -> int:
    """Exit code 1 when there is no such flow or person."""
    usage = "make preview flow=welcome [as_of=2026-12-24T09:00:00Z] [contact=shop-1042]"
    parser = argparse.ArgumentParser(prog="make preview", usage=usage, description=__doc__)
    parser.add_argument("flow", help="its DAG's id or its file's name")
    parser.add_argument("--as-of", type=stores.moment, help="decide as of this moment")
    parser.add_argument("--contact", help="show what this person would get")
    given = parser.parse_args(arguments)
    try:
        flow = find(given.flow)
        pages = list(_pages(flow, given.as_of, given.contact))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    index = write(home() / "preview" / flow.short, flow.name, pages)
    print(f"\n{len(pages)} messages to look at: {index}")
    return 0


def _pages(flow: FlowFile, as_of: datetime | None, contact: str | None) -> Iterator[Page]:
    """Prints what would be decided; gives the messages to look at."""
    engine = stores.warehouse_if_any()
    build = engine.published() if engine else None
    if engine is None or build is None:
        if contact:
            raise LookupError("no build is published here, so nobody is known; `make run` makes one")
        print("No build is published here: these are the templates' own examples. `make run` makes one.")
        yield from _examples(flow, {step.name for step in flow.steps}, NOBODY)
        return
    ledger, sender = stores.ledger(), stores.sender()
    person = why.find(ledger, engine, contact) if contact else None
    run = Run("preview", build.build_id, as_of or build.as_of)
    people = person.records if person else None
    seen = preview(engine, ledger, flow.steps, run, load_policy(), people)
    print(f"{flow.name} as of {run.as_of:%Y-%m-%d %H:%M} UTC on build {build.build_id}; nothing is written\n")
    print(table(seen.counts))
    if person:
        print(*_of_person(seen, person.contact_id), sep="\n")
    templates = Templates()
    for sample in seen.samples:
        variant = f", variant {sample.variant}" if sample.variant else ""
        about = f"{sample.contact_id}, {sample.occurrence_id}, {sample.send_at:%Y-%m-%d %H:%M} UTC"
        title = f"{sample.step} ({sample.channel}, {sample.language}{variant})"
        yield Page(title, about, sample.render(templates, sender, WEB, flow.name))
    if not person:
        shown = {sample.step for sample in seen.samples}
        yield from _examples(flow, {step.name for step in flow.steps} - shown, sender)


def _of_person(seen: Preview, contact_id: str) -> Iterator[str]:
    yield f"\n{contact_id}:"
    if not seen.decisions:
        yield "  no occurrence of the trigger; `make why` says more"
    for row in seen.decisions:
        yield f"  {row.occurrence_id}  {row.step}: {row.reason}. {REASONS[Reason(row.reason)]}"


def _examples(flow: FlowFile, steps: set[str], sender: From) -> Iterator[Page]:
    templates = Templates()
    for step in flow.steps:
        if step.name not in steps or step.channel in (None, Channel.AUDIENCE):
            continue
        for variant, template in step.templates.items():
            for language in LANGUAGES:
                kind = f"{step.channel}, {language}" + (f", variant {variant}" if variant else "")
                parts = templates.preview(template, language, sender, variant)
                yield Page(f"{step.name} ({kind})", "the template's own example", parts)


def write(folder: Path, flow: str, pages: Sequence[Page]) -> Path:
    """Write the messages and index.html, readable by nobody else; what was there before is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    rows = "".join(_row(folder, number, page) for number, page in enumerate(pages, 1))
    name = html.escape(flow)
    head = f'<meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    index = folder / "index.html"
    _write(index, f'<!doctype html><html lang="en">{head}<h1>{name}</h1><table>{rows}</table></html>')
    return index


def _row(folder: Path, number: int, page: Page) -> str:
    """A line of the index; a mail's page and text become files of their own."""
    shown, links = [], []
    for name, text in page.parts.items():
        if name == "html" or (name == "text" and "html" in page.parts):
            file = f"{number}.{'html' if name == 'html' else 'txt'}"
            _write(folder / file, text)
            links.append(f'<a href="{file}">{name}</a>')
        else:
            shown.append(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>")
    cells = (html.escape(page.title), html.escape(page.about), f"<dl>{''.join(shown)}</dl>", " ".join(links))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _write(path: Path, text: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
