"""Writes the catalogue of all tables, docs/tables/, and the pages of all flows, docs/flows/.

    python -m scripts.docs            writes
    python -m scripts.docs --check    says what is out of date instead; exit code 1

Everything in them is read from the files of `include/sql/`, the declared raw tables, and `dags/flow/`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from kreislauf.places import REPOSITORY
from kreislauf.sources.streams import STREAMS
from kreislauf.warehouse.models import LAYERS, Model, load_models
from kreislauf.warehouse.raw import raw_columns
from kreislauf.warehouse.schema import Schema
from scripts.flow_docs import flow_pages
from scripts.lineage import lineage_svg

SQL = REPOSITORY / "include" / "sql"
TABLES = REPOSITORY / "docs" / "tables"
FLOWS = REPOSITORY / "docs" / "flows"

ABOUT = {
    "raw": "What the sources sent, typed, version by version; written by ingest, never by hand.",
    "seeds": "Lists that people keep in git, as CSV.",
    "staging": "Each source cleaned: the latest version of each record, one name a thing.",
    "core": "Who is who, what was ordered, every touch: the facts all else is computed from.",
    "scores": "What a contact is worth, wants, and will do.",
    "lifecycle": "How far a contact has come, since when, and why.",
    "funnels": "The same path by several models of the field, one file each.",
    "segments": "Groups of contacts, one file each.",
    "conditions": "Moments at which something became true of a contact, for flows to ask.",
    "triggers": "Occurrences that start a flow, with its merge fields.",
    "audiences": "Contacts with merge fields, for campaigns and content.",
    "cleanup": "Whom the list clean-up proposes to stop writing to, and why.",
    "reports": "What people look at.",
}


def main(arguments: list[str]) -> int:
    """With `--check` 1 when a page is missing, out of date or left over."""
    made = books()
    if arguments != ["--check"]:
        for folder, pages in made.items():
            _write(folder, pages)
        return 0
    stale = sorted(
        f"docs/{folder.name}/{name}" for folder, pages in made.items() for name in _stale(folder, pages)
    )
    for page in stale:
        print(f"{page} is out of date; run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def books() -> dict[Path, dict[str, str]]:
    """The files of each folder by name."""
    models = load_models(SQL)
    schema = Schema(models)
    readme = _text(FLOWS / "README.md") or ""
    return {TABLES: catalogue(models, schema), FLOWS: flow_pages(models, schema, readme)}


def _write(folder: Path, pages: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in set(folder.iterdir()) - {folder / name for name in pages}:
        path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _stale(folder: Path, pages: Mapping[str, str]) -> list[str]:
    old = [name for name, text in pages.items() if _text(folder / name) != text]
    return old + [path.name for path in folder.glob("*") if path.name not in pages]


def catalogue(models: Mapping[str, Model], schema: Schema) -> dict[str, str]:
    """The files of docs/tables/ by name."""
    readers = _readers(models)
    layers = {layer: [m for m in models.values() if m.layer == layer] for layer in LAYERS[1:]}
    layers = {layer: found for layer, found in layers.items() if found}
    pages = {f"{layer}.md": _page(layer, found, schema, readers) for layer, found in layers.items()}
    pages["raw.md"] = _raw_page(readers)
    pages["README.md"] = _index(layers)
    pages["lineage.svg"] = lineage_svg(models)
    return pages


def _readers(models: Mapping[str, Model]) -> dict[str, list[str]]:
    readers: dict[str, list[str]] = {}
    for model in models.values():
        for table in model.depends_on:
            readers.setdefault(table, []).append(model.name)
    return readers


def _index(layers: Mapping[str, list[Model]]) -> str:
    tables = sum(map(len, layers.values()))
    lines = [
        "# The tables",
        "",
        "Written by `make docs` from the files themselves; do not edit.",
        "",
        f"![{tables} tables, from left to right by layer, and which reads which](lineage.svg)",
        "",
        "| layer | tables | |",
        "|---|--:|---|",
        f"| [raw](raw.md) | {len(raw_columns())} | {ABOUT['raw']} |",
        *(f"| [{layer}]({layer}.md) | {len(found)} | {ABOUT[layer]} |" for layer, found in layers.items()),
        "",
        "## Which table answers …",
        "",
        "| question | table |",
        "|---|---|",
    ]
    asked = [(question, model) for found in layers.values() for model in found for question in model.answers]
    lines += [f"| {question} | {_link(model.name)} |" for question, model in asked]
    return "\n".join([*lines, ""])


def _page(layer: str, models: Iterable[Model], schema: Schema, readers: Mapping[str, list[str]]) -> str:
    lines = [f"# {layer}", "", ABOUT[layer], "", "Written by `make docs`; do not edit.", ""]
    for model in sorted(models, key=lambda model: model.name):
        lines += _entry(model, schema, readers.get(model.name, []))
    return "\n".join(lines)


def _entry(model: Model, schema: Schema, readers: list[str]) -> list[str]:
    columns = ", ".join(f"`{name}` {type.lower()}" for name, type in schema[model.name].items())
    source = model.path.relative_to(REPOSITORY).as_posix()
    lines = [f"## {model.name.partition('.')[2]}", "", model.sentence, ""]
    if model.answers:
        lines += [*(f"> {question}" for question in model.answers), ""]
    return [
        *lines,
        f"- file: [{source}](../../{source}), owner: {model.owner}",
        f"- one row for each: {', '.join(f'`{column}`' for column in model.grain)}",
        f"- columns: {columns}",
        f"- reads: {_links(model.depends_on)}",
        f"- read by: {_links(readers)}",
        "",
    ]


def _raw_page(readers: Mapping[str, list[str]]) -> str:
    streams = {table: stream for stream in STREAMS for table in stream.tables}
    lines = ["# raw", "", ABOUT["raw"], "", "Written by `make docs`; do not edit.", ""]
    for table, columns in raw_columns().items():
        stream = streams.get(table)
        source = f"{stream.source}, stream {stream.name}" if stream else "the landing zone's manifests"
        lines += [
            f"## {table}",
            "",
            f"- source: {source}",
            f"- columns: {', '.join(f'`{name}` {type.lower()}' for name, type in columns.items())}",
            f"- read by: {_links(readers.get(f'raw.{table}', []))}",
            "",
        ]
    return "\n".join(lines)


def _links(tables: Iterable[str]) -> str:
    return ", ".join(map(_link, tables)) or "nothing"


def _link(table: str) -> str:
    layer, _, name = table.partition(".")
    return f"[{table}]({layer}.md#{name})"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
