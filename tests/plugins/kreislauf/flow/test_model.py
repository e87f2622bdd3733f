"""A flow is checked where it is written; the error says the file, the step and what there is."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from kreislauf.flow import Email, Flow, FlowError, Test
from kreislauf.flow.model import LOOK_BACK


@pytest.fixture
def include(tmp_path: Path) -> Path:
    for name in (
        "sql/triggers/left.sql",
        "sql/triggers/left_items.sql",
        "sql/triggers/joined.sql",
        "sql/conditions/ordered.sql",
        "templates/cart/one.de.mjml",
        "templates/cart/one.en.mjml",
        "templates/cart/two.de.mjml",
        "templates/cart/two.en.mjml",
        "templates/cart/german.de.mjml",
    ):
        path = tmp_path / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "include"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dags" / "flow" / "cart.py"


def test_a_flow_resolves_to_steps(include, file):
    flow = Flow(
        trigger="left",
        goal="ordered",
        steps=[
            Email("one", after=Test(short="1 hour", long="4 hours"), expires="1 day"),
            Email("two", after="2 days", unless="clicked_previous"),
        ],
        frequency_cap="1 per 16 hours",
    )
    one, two = flow.resolve(file, include)

    assert (one.flow, one.name, one.template) == ("flow_cart", "one", "cart/one")
    assert one.delays == {"short": timedelta(hours=1), "long": timedelta(hours=4)}
    assert (one.previous, two.previous) == (None, "one")
    assert (two.condition, two.is_wanted) == ("clicked_previous", False)
    assert two.earliest == timedelta(hours=1)
    assert one.has_items
    assert one.in_words() == "after 1 hour or 4 hours"
    assert two.in_words() == "after 2 days · unless clicked previous"
    assert one.horizon == LOOK_BACK


def test_the_horizon_covers_the_whole_journey(include, file):
    flow = Flow("joined", [Email("one", after="3 weeks"), Email("two", after="3 weeks")])
    assert flow.resolve(file, include)[0].horizon == timedelta(weeks=6, days=4)


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (Flow("left", []), "at least one step"),
        (Flow("lefd", [Email("one")]), "trigger='lefd' does not exist; there are: joined, left, left_items"),
        (Flow("left", [Email("one")], goal="paid"), "goal='paid' does not exist; there are: ordered"),
        (Flow("left", [Email("one")], relies_on=["shopp"]), "relies_on='shopp'.*shop, site"),
        (Flow("left", [Email("one")], frequency_cap="often"), "frequency_cap: 'often'"),
        (Flow("left", [Email("one"), Email("one")]), "step 'one': two steps have this name"),
        (Flow("left", [Email("German")]), "step 'German': a name is lower case"),
        (Flow("left", [Email("german")]), "step 'german': its template .*cart/german.en.mjml does not exist"),
        (Flow("left", [Email("one", after="soon")]), "step 'one': after: 'soon' is not a delay"),
        (Flow("left", [Email("one", after=Test(a="1 hour"))]), "step 'one': a test needs two variants"),
        (Flow("left", [Email("one", after=Test(a="1 hour", b="x"))]), "step 'one': after b: 'x'"),
        (Flow("left", [Email("one", expires="never")]), "step 'one': expires: 'never'"),
        (Flow("left", [Email("one", unless="paid")]), "step 'one': unless='paid' does not exist; .*ordered"),
        (Flow("left", [Email("one", when="ordered", unless="ordered")]), "step 'one': .*not both"),
        (Flow("left", [Email("one", unless="clicked_previous")]), "step 'one': .*and this is the first"),
    ],
)
def test_a_mistake_names_file_step_and_what_there_is(flow, words, include, file):
    with pytest.raises(FlowError, match=f"flow/cart.py.*{words}"):
        flow.resolve(file, include)


def test_the_version_follows_the_declaration():
    flow = Flow("left", [Email("one")])
    assert flow.version == Flow("left", [Email("one")]).version
    assert flow.version != Flow("left", [Email("one", after="1 day")]).version
    assert flow.version != Flow("left", [Email("one", after=Test(a="1 day", b="2 days"))]).version


def test_variants_are_stable_even_and_independent_between_steps(include, file):
    test = Test(a="1 hour", b="2 hours", c="3 hours")
    one, two = Flow("joined", [Email("one", after=test), Email("two", after=test)]).resolve(file, include)
    people = [f"shop-{number}" for number in range(3000)]

    assert [one.variant(person) for person in people] == [one.variant(person) for person in people]
    shares = Counter(one.variant(person) for person in people)
    assert set(shares) == {"a", "b", "c"}
    assert all(900 < count < 1100 for count in shares.values())
    both = Counter((one.variant(person), two.variant(person)) for person in people)
    assert len(both) == 9 and all(250 < count < 420 for count in both.values())
