"""The picture of a flow: from its trigger down, the sides of branches beside each other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from kreislauf.flow.actions import Action, Branch, Split, Together
from kreislauf.flow.files import FlowFile
from kreislauf.flow.model import Step
from scripts.flow_words import condition_of, delay_of

BOX, COLUMN, LINE, GAP, LETTERS = 212, 244, 15, 42, 33
"""Pixels: a box's width, a column's, a line of text, between two boxes; and letters in a line of a box."""

COLOURS = {
    "trigger": ("#e8f0e4", "#6a8f5a"),
    "branch": ("#fdf3da", "#c79a2b"),
    "end": ("#efefef", "#8d99a6"),
    "": ("#ffffff", "#3d5a80"),
}

Point = tuple[float, float]


@dataclass
class _Canvas:
    steps: Mapping[str, Step]
    boxes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def box(self, kind: str, centre: float, top: float, title: str, *about: str) -> float:
        """Draw a box; its bottom."""
        fill, stroke = COLOURS[kind]
        lines = [f'<tspan font-weight="600">{escape(title)}</tspan>']
        lines += [escape(line) for text in about for line in textwrap.wrap(text, LETTERS)]
        height = LINE * len(lines) + 12
        self.boxes.append(
            f'<rect x="{centre - BOX / 2:.0f}" y="{top:.0f}" width="{BOX}" height="{height}" '
            f'rx="{4 if kind != "trigger" else 14}" fill="{fill}" stroke="{stroke}"/>'
        )
        for number, line in enumerate(lines):
            y = top + 6 + LINE * (number + 0.75)
            self.boxes.append(f'<text x="{centre:.0f}" y="{y:.0f}" text-anchor="middle">{line}</text>')
        return top + height

    def join(self, ends: Sequence[Point], centre: float, top: float, label: str = "") -> None:
        """Lines from all `ends` to the top of what comes next, with a label beside it."""
        for x, y in ends:
            middle = top - 20
            self.lines.append(f'<path d="M{x:.0f} {y:.0f}V{middle:.0f}H{centre:.0f}V{top:.0f}"/>')
        self.lines.append(f'<path d="M{centre - 4:.0f} {top - 6:.0f}l4 6l4 -6" />')
        if label:
            self._label(centre, top, label)

    def _label(self, x: float, y: float, text: str) -> None:
        self.boxes.append(f'<text x="{x + 8:.0f}" y="{y - 8:.0f}" fill="#5c677d">{escape(text)}</text>')

    def draw(self, items: Sequence[Any], centre: float, ends: list[Point], side: str = "") -> list[Point]:
        """Draw a sequence of steps below `ends`; where what follows goes on from."""
        for item in items:
            top = max(y for _, y in ends) + GAP
            if isinstance(item, Action):
                ends = [self._action(item, centre, top, ends, side)]
            elif isinstance(item, Together):
                ends = self._beside(item.actions, centre, top, ends, side)
            else:
                ends = self._sides(item, centre, top, ends, side)
            side = ""
        return ends

    def _action(self, action: Action, centre: float, top: float, ends: list[Point], side: str) -> Point:
        step = self.steps[action.name]
        self.join(ends, centre, top, side)
        title = f"{action.name} ({step.channel})"
        return centre, self.box("", centre, top, title, delay_of(action), condition_of(action))

    def _beside(
        self, actions: Sequence[Action], centre: float, top: float, ends: list[Point], side: str
    ) -> list[Point]:
        left = centre - COLUMN * (len(actions) - 1) / 2
        return [
            self._action(action, left + COLUMN * number, top, ends, side if number == 0 else "")
            for number, action in enumerate(actions)
        ]

    def _sides(
        self, item: Branch | Split, centre: float, top: float, ends: list[Point], side: str
    ) -> list[Point]:
        self.join(ends, centre, top, side)
        sides = _sides(item)
        about = f"if {item.when}" if isinstance(item, Branch) else "a test of whole sides"
        bottom = self.box("branch", centre, top, item.name, about)
        widths = [_width(items) for items in sides.values()]
        left = centre - COLUMN * sum(widths) / 2
        after: list[Point] = []
        for (name, items), width in zip(sides.items(), widths, strict=True):
            middle = left + COLUMN * width / 2
            start = [(centre, bottom)]
            if items:
                after += self.draw(items, middle, start, name)
            else:
                self._label(middle, bottom + GAP, name)
                self.lines.append(
                    f'<path d="M{centre:.0f} {bottom:.0f}v26H{middle:.0f}V{bottom + GAP:.0f}"/>'
                )
                after.append((middle, bottom + GAP))
            left += COLUMN * width
        return after


def flow_svg(flow: FlowFile) -> str:
    """An SVG of the flow, always the same bytes for the same file."""
    canvas = _Canvas({step.name: step for step in flow.steps})
    width = COLUMN * max(_width(flow.flow.steps), 1) + 60
    centre = width / 2
    bottom = canvas.box("trigger", centre, 14, flow.flow.trigger.replace("_", " "), "trigger")
    ends = canvas.draw(flow.flow.steps, centre, [(centre, bottom)])
    top = max(y for _, y in ends) + GAP
    goal = f"or as soon as: {flow.flow.goal.replace('_', ' ')}" if flow.flow.goal else ""
    canvas.join(ends, centre, top)
    height = canvas.box("end", centre, top, "end", goal) + 14
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2d3d" '
            'role="img" aria-labelledby="t">',
            f'<title id="t">The flow {escape(flow.short)}: {escape(flow.flow.in_words())}</title>',
            '<rect width="100%" height="100%" fill="#fbfbf8"/>',
            '<g fill="none" stroke="#5c677d">',
            *canvas.lines,
            "</g>",
            *canvas.boxes,
            "</svg>",
            "",
        ]
    )


def _sides(item: Branch | Split) -> Mapping[str, Sequence[Any]]:
    return {"then": item.then, "otherwise": item.otherwise} if isinstance(item, Branch) else item.sides


def _width(items: Sequence[Any]) -> int:
    """How many columns a sequence takes."""
    widths = [1]
    for item in items:
        if isinstance(item, Together):
            widths.append(len(item.actions))
        elif isinstance(item, Branch | Split):
            widths.append(sum(_width(side) for side in _sides(item).values()))
    return max(widths)
