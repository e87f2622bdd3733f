"""Pictures of flows: every step once, no box over another, whatever is nested in what."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree  # ruff: ignore[suspicious-xml-etree-import]: of our own making

import pytest

from kreislauf.flow import Branch, Email, Flow, Split, Together
from kreislauf.flow.files import FlowFile, read_all
from scripts.flow_picture import flow_svg

FILE = Path(__file__).parents[2] / "dags" / "flow" / "welcome.py"
HELLO = {"template": "hello"}
NESTED = Flow(
    "subscribed",
    goal="ordered",
    steps=[
        Split(
            "way",
            short=[Branch("buyer", when="ordered", then=[Email("one", **HELLO)], otherwise=[])],
            long=[Together(Email("two", **HELLO), Email("three", **HELLO)), Email("four", "1 day", **HELLO)],
        ),
        Email("five", "1 week", **HELLO),
    ],
)
MADE = FlowFile(FILE, "flow_welcome", "", NESTED, NESTED.resolve(FILE))


def boxes(flow: FlowFile) -> list[tuple[float, float, float, float]]:
    picture = ElementTree.fromstring(flow_svg(flow))  # ruff: ignore[suspicious-xml-element-tree-usage]
    found = [rect.attrib for rect in picture.iter("{http://www.w3.org/2000/svg}rect")]
    sides = ("x", "y", "width", "height")
    return [tuple(float(rect[side]) for side in sides) for rect in found if "x" in rect]  # type: ignore[misc]


@pytest.mark.parametrize("flow", [MADE, *read_all().values()], ids=lambda flow: flow.short)
def test_no_box_lies_over_another(flow: FlowFile) -> None:
    found = boxes(flow)
    assert len(found) == len(flow.steps) + 2  # the trigger and the end
    for one, other in combinations(found, 2):
        beside = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
        below = one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1]
        assert beside or below


def test_the_same_file_gives_the_same_bytes() -> None:
    assert flow_svg(MADE) == flow_svg(MADE)
    assert "short" in flow_svg(MADE) and "or as soon as: ordered" in flow_svg(MADE)
