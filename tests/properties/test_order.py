"""Decisions depend neither on the order of the rows nor on how many runs the night is cut into."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kreislauf.flow.decide import Run
from kreislauf.flow.policy import ChannelPolicy, Policy
from kreislauf.flow.words import parse_cap
from kreislauf.ledger.schema import Channel
from kreislauf.ledger.store import Ledger
from tests.plugins.kreislauf.flow.test_decide import FIRST, NOON, SECOND, person
from tests.properties.circuit import Circuit

POLICY = Policy(
    ("transactional", "cart", "flow"), {Channel.EMAIL: ChannelPolicy((parse_cap("1 per 16 hours"),))}
)
KEYS = ("step", "contact_id", "occurrence_id", "reason", "due_at", "send_at")

_hours = st.integers(-60, 5).map(lambda hours: NOON + timedelta(hours=hours))
_people = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 3), _hours, st.booleans(), st.booleans()),
    min_size=1,
    max_size=10,
    unique_by=lambda row: row[:2],
)


def _decided(ledger: Ledger, people: list[tuple], cuts: list[list[int]]) -> list[tuple]:
    """The decisions when the contacts come in these groups, one run each, every step after the other."""
    circuit = Circuit(ledger, POLICY)
    for number, group in enumerate(cuts):
        run = Run(f"run-{number}", "build", NOON)
        for step in (FIRST, SECOND):
            rows = [
                person(
                    contact,
                    step,
                    occurrence_id=f"cart-{cart}",
                    occurred_at=at,
                    due_at=at,
                    has_consent=consents,
                    is_goal_reached=is_reached,
                )
                for contact, cart, at, consents, is_reached in people
                if contact in group
            ]
            circuit.decide(step, run, [rows])
    found = circuit.decisions(*KEYS)
    ledger.engine.dispose()
    return found


@settings(max_examples=10, deadline=None, derandomize=True)
@given(people=_people, seed=st.integers(0, 99), cut=st.integers(1, 3))
def test_neither_order_nor_cuts_count(new_ledger, people, seed, cut):
    everybody = [1, 2, 3, 4]
    at_once = _decided(new_ledger(), people, [everybody])
    shuffled = Random(seed).sample(people, len(people))  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    assert _decided(new_ledger(), shuffled, [everybody]) == at_once
    assert _decided(new_ledger(), people, [everybody[:cut], everybody[cut:], everybody]) == at_once
