"""The catalogue says what there is, its links lead somewhere, and an old one is noticed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree  # ruff: ignore[suspicious-xml-etree-import]: of our own making

import pytest

from kreislauf.flow.files import read_all
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from scripts import docs
from scripts.flow_docs import LIST


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    models = load_models(docs.SQL)
    return docs.catalogue(models, Schema(models))


@pytest.fixture(scope="module")
def flow_pages() -> dict[str, str]:
    models = load_models(docs.SQL)
    return docs.flow_pages(models, Schema(models), f"# Flows\n\nBy hand.\n\n{LIST}\nold list\n")


def test_every_table_is_in_it(pages: dict[str, str]) -> None:
    for name, model in load_models(docs.SQL).items():
        layer, _, table = name.partition(".")
        assert f"\n## {table}\n\n{model.sentence}\n" in pages[f"{layer}.md"]


def test_links_lead_somewhere(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        for page, anchor in re.findall(r"\]\((\w+\.md)(?:#(\w+))?\)", text):
            assert page in pages, f"{name} links to {page}"
            assert not anchor or f"\n## {anchor}\n" in pages[page], f"{name} links to {page}#{anchor}"
        for path in re.findall(r"\]\(\.\./\.\./([^)]+)\)", text):
            assert (docs.REPOSITORY / path).exists(), f"{name} links to {path}"


def test_the_picture_is_well_formed(pages: dict[str, str]) -> None:
    picture = ElementTree.fromstring(pages["lineage.svg"])  # ruff: ignore[suspicious-xml-element-tree-usage]
    assert picture.tag.endswith("svg")


def test_every_flow_has_a_page_with_its_steps_and_a_picture(flow_pages: dict[str, str]) -> None:
    for flow in read_all().values():
        page = flow_pages[f"{flow.short}.md"]
        assert flow.doc in page and f"]({flow.short}.svg)" in page
        for step in flow.steps:
            assert f"\n| `{step.name}` |" in page
            assert step.name in flow_pages[f"{flow.short}.svg"]
        assert f"| [{flow.short}]({flow.short}.md) |" in flow_pages["README.md"]


def test_what_people_wrote_about_flows_is_kept_and_the_list_is_new(flow_pages: dict[str, str]) -> None:
    assert flow_pages["README.md"].startswith("# Flows\n\nBy hand.\n\n" + LIST)
    assert "old list" not in flow_pages["README.md"]


def test_links_of_flows_lead_somewhere(flow_pages: dict[str, str], pages: dict[str, str]) -> None:
    for name, text in flow_pages.items():
        for page in re.findall(r"\]\((\w+\.(?:md|svg))\)", text):
            assert page in flow_pages, f"{name} links to {page}"
        for page, anchor in re.findall(r"\]\(\.\./tables/(\w+\.md)#(\w+)\)", text):
            assert f"\n## {anchor}\n" in pages[page], f"{name} links to {page}#{anchor}"
        for path in re.findall(r"\]\(\.\./\.\./([^)]+)\)", text):
            assert (docs.REPOSITORY / path).exists(), f"{name} links to {path}"


def test_pictures_of_flows_are_well_formed_and_nothing_leaves_them(flow_pages: dict[str, str]) -> None:
    for name in (name for name in flow_pages if name.endswith(".svg")):
        picture = ElementTree.fromstring(flow_pages[name])  # ruff: ignore[suspicious-xml-element-tree-usage]
        width = float(picture.attrib["width"])
        for box in picture.iter("{http://www.w3.org/2000/svg}rect"):
            if box.attrib["width"] != "100%":
                assert 0 <= float(box.attrib["x"]) <= width - float(box.attrib["width"]), name


def test_an_old_page_is_noticed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pages: dict[str, str],
    flow_pages: dict[str, str],
) -> None:
    made = {tmp_path / "tables": pages, tmp_path / "flows": flow_pages}
    monkeypatch.setattr(docs, "books", lambda: made)
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    (tmp_path / "tables" / "core.md").write_text("old")
    (tmp_path / "flows" / "welcome.svg").unlink()
    (tmp_path / "tables" / "gone.md").write_text("of a layer that was removed")
    assert docs.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "docs/tables/core.md is out of date; run `make docs`" in said
    assert "gone.md" in said and "docs/flows/welcome.svg is out of date" in said
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
