"""The picture of which table reads which: a column a layer, a line a reference."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from xml.sax.saxutils import escape

from kreislauf.warehouse.models import LAYERS, Model

ROW, TOP, GAP, CHARACTER = 15, 56, 70, 5.7
"""Pixels: a table's height, the first one's place, between two columns, a letter's width."""


def lineage_svg(models: Mapping[str, Model]) -> str:
    """An SVG; pointing at a table shows its sentence."""
    raw = {table for model in models.values() for table in model.depends_on if table.startswith("raw.")}
    columns = {layer: [n for n in models if n.startswith(f"{layer}.")] for layer in LAYERS}
    columns["raw"] = sorted(raw)
    columns = {layer: tables for layer, tables in columns.items() if tables}
    _untangle(columns, models)

    left, place, x = {}, {}, 20.0
    for layer, tables in columns.items():
        width = CHARACTER * max(len(_name(table)) for table in [*tables, f".{layer}  "]) + 14
        left[layer] = x
        for row, table in enumerate(tables):
            place[table] = (x, x + width, TOP + ROW * row)
        x += width + GAP
    height = TOP + ROW * max(map(len, columns.values())) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x - GAP + 20:.0f} {height}" '
        'font-family="system-ui, sans-serif" font-size="10" role="img" aria-labelledby="t">',
        f'<title id="t">{len(models)} tables by layer, and which reads which</title>',
        '<rect width="100%" height="100%" fill="#fbfbf8"/>',
        '<g fill="none" stroke="#3d5a80" stroke-width="0.7" stroke-opacity="0.35">',
    ]
    for model in models.values():
        for table in model.depends_on:
            lines.append(_edge(place[table], place[model.name]))
    lines.append("</g>")
    for layer, tables in columns.items():
        lines.append(
            f'<text x="{left[layer]:.0f}" y="34" font-size="14" font-weight="600" fill="#1f2d3d">'
            f'{layer} <tspan font-size="10" font-weight="400" fill="#5c677d">{len(tables)}</tspan></text>'
        )
        lines += [_node(table, place[table], models.get(table)) for table in tables]
    return "\n".join([*lines, "</svg>", ""])


def _untangle(columns: dict[str, list[str]], models: Mapping[str, Model]) -> None:
    """Order each column by where its inputs stand, so that lines cross less."""
    for before, layer in pairwise(columns):
        rows = {table: row for tables in columns.values() for row, table in enumerate(tables)}

        def middle(table: str, rows: dict[str, int] = rows) -> float:
            found = [rows[read] for read in models[table].depends_on]
            return sum(found) / len(found) if found else 0.0

        if before:
            columns[layer] = sorted(columns[layer], key=lambda table: (middle(table), table))


def _edge(start: tuple[float, float, int], end: tuple[float, float, int]) -> str:
    x1, y1, x2, y2 = start[1], start[2], end[0], end[2]
    if x1 > x2:  # the same column: an arc beside it
        return f'<path d="M{x1:.0f} {y1}C{x1 + 28:.0f} {y1} {x1 + 28:.0f} {y2} {x1:.0f} {y2}"/>'
    middle = (x1 + x2) / 2
    return f'<path d="M{x1:.0f} {y1}C{middle:.0f} {y1} {middle:.0f} {y2} {x2:.0f} {y2}"/>'


def _node(table: str, place: tuple[float, float, int], model: Model | None) -> str:
    x1, x2, y = place
    title = f"<title>{escape(model.sentence)}</title>" if model else ""
    return (
        f'<g>{title}<rect x="{x1:.0f}" y="{y - 6}" width="{x2 - x1:.0f}" height="12" rx="3" fill="#fff" '
        f'stroke="#98a9bd" stroke-width="0.6"/>'
        f'<text x="{x1 + 5:.0f}" y="{y + 3.5}" fill="#1f2d3d">{_name(table)}</text></g>'
    )


def _name(table: str) -> str:
    return table.partition(".")[2]
