"""A flow is checked where it is written; the error says the file, the step and what there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from kreislauf.flow import Branch, By, Crm, Email, Flow, FlowError, Join, Push, Split, Test, Together
from kreislauf.flow.conditions import Comparison, Fact, Member, Reaction
from kreislauf.flow.model import LOOK_BACK, Previous
from kreislauf.flow.words import Delay
from kreislauf.ledger.schema import Channel

TRIGGER = """-- A cart was left.
-- owner: crm
-- grain: occurrence_id
select
    contact_id,
    occurrence_id,
    occurred_at,
    total_amount,
    currency
from core.carts
"""

ORDERED = """-- An order.
-- owner: crm
-- grain: contact_id, occurred_at
select
    contact_id,
    ordered_at as occurred_at
from core.orders
"""

BOUGHT_IT = ORDERED.replace("ordered_at as", "product_id as occurrence_id,\n    ordered_at as")

SQL = {
    "sql/triggers/left.sql": TRIGGER,
    "sql/triggers/joined.sql": TRIGGER,
    "sql/conditions/ordered.sql": ORDERED,
}


@pytest.fixture
def include(tmp_path: Path) -> Path:
    templates = ("one", "two", "three", "plain", "rich")
    names = [f"templates/cart/{name}.{end}" for name in templates for end in ("de.mjml", "en.mjml")]
    names += [
        f"templates/cart/{name}.{language}.yaml" for name in ("push", "call") for language in ("de", "en")
    ]
    for name in (
        *names,
        "sql/triggers/left.sql",
        "sql/triggers/left_items.sql",
        "sql/triggers/joined.sql",
        "sql/conditions/ordered.sql",
        "sql/segments/big_spenders.sql",
        "templates/cart/german.de.mjml",
    ):
        path = tmp_path / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SQL.get(name, ""))
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
            Email("two", after="2 days", unless="clicked previous"),
        ],
        frequency_cap="1 per 16 hours",
    )
    one, two = flow.resolve(file, include)

    assert (one.flow, one.name, one.templates) == ("flow_cart", "one", {"": "cart/one"})
    assert one.delays == {"short": Delay(timedelta(hours=1)), "long": Delay(timedelta(hours=4))}
    assert one.shares == {"short": Fraction(1, 2), "long": Fraction(1, 2)}
    assert (one.previous, two.previous) == ((), (Previous("one"),))
    assert (two.condition, two.is_wanted) == (Reaction("click", ("one",)), False)
    assert two.earliest == timedelta(hours=1)
    assert one.goal == Fact("ordered")
    assert one.has_items
    assert one.words == "after 1 hour or 4 hours"
    assert two.words == "after 2 days · unless clicked previous"
    assert one.horizon == LOOK_BACK


def test_the_horizon_covers_the_whole_journey(include, file):
    flow = Flow("joined", [Email("one", after="3 weeks"), Email("two", after="3 weeks")])
    assert flow.resolve(file, include)[0].horizon == timedelta(weeks=6, days=4)


def test_a_branch_has_two_sides_that_come_together(include, file):
    flow = Flow(
        "left",
        [
            Email("one"),
            Branch(
                "budget",
                when="total_amount >= 500",
                then=[Crm("call"), Email("two", unless="opened one")],
                otherwise=[],
            ),
            Join("had_a_cart"),
        ],
    )
    one, budget, call, two, join = flow.resolve(file, include)

    assert budget.channel is None and budget.sides == ("then", "otherwise") and not budget.shares
    assert budget.condition == Comparison("total_amount", ">=", "500")
    assert (call.channel, call.side, call.previous) == (Channel.CRM, "then", (Previous("budget"),))
    assert (two.side, two.previous) == (None, (Previous("call"),))
    assert two.condition == Reaction("open", ("one",))
    assert join.previous == (Previous("two"), Previous("budget", "otherwise"))
    assert join.templates == {"": "join/had_a_cart"}
    assert [step.words for step in (one, budget, join)] == ["at once", "if total amount >= 500", "at once"]


def test_a_split_draws_the_side(include, file):
    split, mail, push = Flow("left", [Split("way", mail=[Email("one")], push=[Push("push")])]).resolve(
        file, include
    )
    assert split.shares == {"mail": Fraction(1, 2), "push": Fraction(1, 2)} and split.condition is None
    assert (mail.side, push.side) == ("mail", "push")
    assert push.templates == {"": "cart/push"}


def test_of_several_at_once_the_next_follows_the_first(include, file):
    one, push, two = Flow(
        "left", [Together(Email("one"), Push("push", after="1 hour")), Email("two", when="clicked one")]
    ).resolve(file, include)
    assert (one.previous, push.previous, two.previous) == ((), (), (Previous("one"),))


def test_delays_by_a_column_and_tests_of_templates(include, file):
    by = By("total_amount", {"below 100": "1 hour", "100 to 500": "2 hours", "otherwise": "1 day"})
    one, two = Flow(
        "left", [Email("one", after=by), Email("two", template=Test(text="plain", pictures="rich"))]
    ).resolve(file, include)
    assert one.delay_by == "total_amount"
    assert [(each.low, each.high, each.delay.span) for each in one.ranges] == [
        (None, "100", timedelta(hours=1)),
        ("100", "500", timedelta(hours=2)),
    ]
    assert one.delays == {"": Delay(timedelta(days=1))}
    assert one.words == "after 1 hour or 2 hours or 1 day"
    assert two.templates == {"text": "cart/plain", "pictures": "cart/rich"}


WELCOME = Path(__file__).parents[4] / "dags" / "flow" / "welcome.py"
"""Its templates, with triggers of the real files."""


def test_a_delay_from_a_date_of_the_trigger():
    hello, story = Flow(
        "announced", [Email("hello"), Email("story", after="1 day before starts_at, at 10:00")]
    ).resolve(WELCOME)
    assert (hello.date, story.date) == (None, "starts_at")
    assert hello.dates == story.dates == ("starts_at",)
    assert story.expires == timedelta(days=1), "what announces a moment is not sent after it"
    assert story.words == "1 day before starts_at · at 10:00"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("1 day before begins_at", "column 'begins_at' does not exist; there are: contact_id, .*starts_at"),
        ("1 day before city", "column 'city' is varchar, not a timestamp or a date; of .* are: .*starts_at"),
        (Test(a="1 day", b="1 day before starts_at"), "all delays of a step count from the same moment"),
    ],
)
def test_a_date_that_is_none_is_an_error_that_names_those_that_are(after, words):
    with pytest.raises(FlowError, match=f"flow/welcome.py, step 'hello': .*{words}"):
        Flow("announced", [Email("hello", after=after)]).resolve(WELCOME)


def test_a_segment_as_condition(include, file):
    (one,) = Flow("left", [Email("one", when="segments.big_spenders")]).resolve(file, include)
    assert one.condition == Member("big_spenders")


def both(*steps):
    return Flow("left", [Email("one"), *steps])


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (Flow("left", []), "at least one step"),
        (Flow("lefd", [Email("one")]), "trigger='lefd' does not exist; there are: joined, left, left_items"),
        (Flow("left", [Email("one")], goal="paid"), "goal='paid' does not exist; there are: ordered"),
        (Flow("left", [Email("one")], goal="total_amount > 5"), "goal is something that comes true"),
        (Flow("left", [Email("one")], relies_on=["shopp"]), "relies_on='shopp'.*shop, site"),
        (Flow("left", [Email("one")], frequency_cap="often"), "frequency_cap: 'often'"),
        (Flow("left", [Email("one")], holdout="5"), "holdout: '5' is not a share"),
        (Flow("left", [Email("one")], pilot="many"), "pilot: 'many' is not a share"),
        (Flow("left", [Email("one")], priority="high"), "priority='high' does not exist; .*newsletter"),
        (Flow("left", ["one"]), "'one' is not an action"),
        (both(Email("one")), "step 'one': two steps have this name"),
        (both(Email("German")), "step 'German': a name is lower case"),
        (both(Email("german")), "step 'german': its template .*cart/german.en.mjml does not exist"),
        (both(Push("two")), "step 'two': its template .*cart/two.de.yaml does not exist"),
        (both(Email("two", after="soon")), "step 'two': after: 'soon' is not a delay"),
        (both(Email("two", after="1 day, at noon")), "step 'two': after: 'at noon' is not a time of day"),
        (both(Email("two", after=Test(a="1 hour"))), "step 'two': a test has two to 10 variants, not 1"),
        (
            both(Email("two", subject=Test(*(f"s{number}" for number in range(11))))),
            "step 'two': a test has two to 10 variants, not 11",
        ),
        (both(Email("two", after=Test(a="1 hour", b="x"))), "step 'two': after b: 'x'"),
        (
            both(Email("two", after=Test(a="1 hour", b="1 day"), subject=Test("x", "y"))),
            "'two': a step has one test",
        ),
        (both(Email("two", subject=Test("x", "y", winner="luck"))), "'two': winner='luck' does not exist"),
        (
            both(Email("two", after=By("amount", {"below 5": "1 hour", "otherwise": "1 day"}))),
            "'two': after: column 'amount' does not exist; there are: .*total_amount",
        ),
        (
            both(Email("two", after=By("total_amount", {"below 5": "1 hour"}))),
            "the last delay is 'otherwise'",
        ),
        (
            both(Email("two", after=By("total_amount", {"5": "1 day", "otherwise": "1 day"}))),
            "'5' is no range",
        ),
        (both(Email("two", expires="never")), "step 'two': expires: 'never'"),
        (both(Email("two", unless="paid")), "step 'two': unless='paid' does not exist; .*ordered"),
        (
            both(Email("two", when="segments.rich")),
            "step 'two': when=segments.'rich' does not exist; .*big_spenders",
        ),
        (both(Email("two", when="stage boss")), "step 'two': when=stage 'boss' does not exist; .*customer"),
        (both(Email("two", when="budget > 5")), "step 'two': when: column 'budget' does not exist"),
        (both(Email("two", when="Sometimes!")), "step 'two': when: 'Sometimes!' is not a condition"),
        (both(Email("two", when="ordered", unless="ordered")), "step 'two': .*not both"),
        (both(Email("two", unless="clicked three")), "step 'two': .*no such step before; there are: one"),
        (Flow("left", [Email("one", unless="clicked previous")]), "step 'one': .*and this is the first"),
        (both(Split("way", mail=[Email("two")])), "step 'way': a split needs two sides"),
        (both(Email("any")), "step 'any': a name is lower case letters, digits and _, and not a word of"),
        (both(Branch("way", when="paid")), "step 'way': when='paid' does not exist"),
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
    assert flow.version != Flow("left", [Email("one")], holdout="5 %").version


def test_a_condition_that_gives_an_occurrence_is_about_that_occurrence(include, file):
    (include / "sql" / "conditions" / "bought_it.sql").write_text(BOUGHT_IT)
    steps = [Email("one"), Email("two", unless="bought_it")]
    one, two = Flow(trigger="left", goal="ordered", steps=steps).resolve(file, include)
    assert (one.goal, two.condition) == (Fact("ordered"), Fact("bought_it", is_of_occurrence=True))


def test_where_branches_come_together_the_previous_step_is_the_one_of_either_side(include, file):
    ways = Split("way", a=[Email("two")], b=[Email("three")])
    last = Email("plain", when="clicked previous")
    *_, found = Flow("left", [Email("one"), ways, last]).resolve(file, include)
    assert found.condition == Reaction("click", ("two", "three"))
    *_, found = Flow("left", [Email("one"), ways, replace(last, when="clicked any")]).resolve(file, include)
    assert found.condition == Reaction("click", ("one", "two", "three"))
