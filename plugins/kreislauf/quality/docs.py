"""Data Docs of an audit: Great Expectations' page of the results, as one file that needs nothing else.

Its own site is four megabytes and loads styles and scripts from the internet; without them it is bare.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

STYLE = Path(__file__).with_name("docs.css")

_NEEDS_SCRIPTS = "script, link, style, img, footer, body > nav, .card:has([onclick]), [id$='content-block-3']"


def write(results: ExpectationSuiteValidationResult, title: str, file: Path) -> None:
    """Write the page of some results; tables with a broken rule stand first."""
    from bs4 import BeautifulSoup
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    rendered = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(results))
    page = BeautifulSoup(rendered, "html.parser")
    for element in page.select(_NEEDS_SCRIPTS):
        element.decompose()
    for link in page.select("a:not([href^='#'])"):
        link.unwrap()
    page.head.append(page.new_tag("style", string=STYLE.read_text(encoding="utf-8")))
    page.title.string = title
    page.select_one(".container-fluid h4").string = title
    for heading in page.select("th:last-child"):
        heading.string = "Rows that break it"
    overview = page.find(id="section-1")
    for section in reversed(page.select(".ge-section:has(.fa-times):not(#section-1)")):
        overview.insert_after(section)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(page), encoding="utf-8")
