"""What happens between planning and sending: each message waits, the world goes on, and the last questions
are asked again. Every example has messages that wait; what holds in all worlds holds here."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.properties.test_worlds import Worlds

EVENTS = ("nothing", "orders", "tells the shop no", "tells us no", "complains")
WAYS = ("decides", "beside itself", "decides twice")

_rounds = st.lists(
    st.tuples(
        st.integers(1, 40), st.lists(st.sampled_from(EVENTS), min_size=2, max_size=2), st.sampled_from(WAYS)
    ),
    min_size=2,
    max_size=3,
)


class World(Worlds):
    """Two people, one step after the other instead of at random."""

    def happens(self, who: int, event: str) -> None:
        match event:
            case "orders":
                self.orders(who)
            case "tells the shop no":
                self.tells_the_shop(who, False)
            case "tells us no":
                self.opts_out_on_our_page(who)
            case "complains":
                self.complains(who)

    def plans(self, way: str) -> None:
        self._publish()
        if way == "beside itself":
            self._decide_beside_itself(is_first=False)
        else:
            for _ in range(2 if way == "decides twice" else 1):
                self._decide()

    def holds(self) -> None:
        self.nobody_gets_anything_twice()
        self.what_is_final_stays()
        self.nothing_is_sent_at_night()
        self.no_cap_is_exceeded()


NOTHING = ["nothing"] * 2


@settings(max_examples=2, deadline=None, derandomize=True)
@given(rounds=_rounds, wait=st.integers(0, 30))
@example([(5, ["tells the shop no", "nothing"], "decides")], 1)
@example([(5, ["nothing", "orders"], "decides")], 1)
@example([(5, NOTHING, "beside itself"), (20, NOTHING, "decides twice")], 1)  # both wait: one too many
@example([(5, NOTHING, "decides")], 8)  # by then it is midnight in Berlin
@example([(5, ["complains", "tells us no"], "decides")], 0)  # not known to any build
def test_nothing_goes_out_that_should_not_any_more(new_ledger, rounds, wait):
    world = World(new_ledger())
    try:
        world.people_come(["Europe/Berlin", "America/New_York"], 8)
        for hours, events, way in rounds:
            for who in range(2):
                world.leaves_a_cart(who, 200)
            world.time_passes(hours)
            world.plans(way)
            for who, event in enumerate(events):
                world.happens(who, event)
        world.time_passes(wait)
        world._publish()
        for hours in (0, 3, 9, 12):  # what has to wait for the morning goes out then, of the same build
            world.time_passes(hours)
            world._send()
            world.holds()
    finally:
        world._clear_up()


def test_who_clicked_is_left_alone_and_the_control_group_gets_nothing(new_ledger):
    world = World(new_ledger())
    world.people_come(["UTC"] * 3, None)
    for who in range(3):
        world.leaves_a_cart(who, 200)
    world.time_passes(5)
    world.runs()
    reminded = [(sent.contact_id, sent.step) for sent in world.circuit.sent]
    world.clicks(reminded.index(("shop-3", "reminder")))
    for hours in (24, 19):  # a day later, and at nine
        world.time_passes(hours)
        world.runs()
    world.nobody_of_the_control_group_is_written_to()
    world.who_clicked_is_not_asked_again()
    got = [(sent.contact_id, sent.step) for sent in world.circuit.sent if sent.flow == "flow_cart"]
    assert sorted(got) == [("shop-3", "reminder"), ("shop-4", "last_call"), ("shop-4", "reminder")]
    world._clear_up()
