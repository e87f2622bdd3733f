"""The catalogue says what there is, its links lead somewhere, and an old one is noticed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree  # ruff: ignore[suspicious-xml-etree-import]: of our own making

import pytest

from kreislauf.warehouse.models import load_models
from scripts import docs


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return docs.catalogue()


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


def test_an_old_page_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "TABLES", tmp_path / "tables")
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    (tmp_path / "tables" / "core.md").write_text("old")
    (tmp_path / "tables" / "gone.md").write_text("of a layer that was removed")
    assert docs.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "docs/tables/core.md is out of date; run `make docs`" in said
    assert "gone.md" in said
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
