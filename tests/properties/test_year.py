"""A year of daily runs, hourly around the days on which clocks change: everybody's journeys, by their own
clock. The year has a leap day, and people live where clocks change on other days and in the other direction.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kreislauf.flow import Email, Flow
from kreislauf.flow.policy import ChannelPolicy, Policy
from kreislauf.flow.words import parse_cap
from kreislauf.ledger.hours import QuietHours
from kreislauf.ledger.schema import NOT_FINAL, Channel
from tests.properties.circuit import Circuit, Rows, flow_steps

BEGIN, END = datetime(2027, 6, 1, 7, tzinfo=UTC), datetime(2028, 6, 1, 7, tzinfo=UTC)
ZONES = {"berlin": "Europe/Berlin", "new-york": "America/New_York", "auckland": "Pacific/Auckland"}
CLOCKS_CHANGE = [date(2027, 10, 31), date(2028, 3, 26)]
NIGHT = QuietHours(time(21), time(8))
POLICY = Policy(
    ("transactional", "cart", "flow"),
    {Channel.EMAIL: ChannelPolicy((parse_cap("1 per 16 hours"), parse_cap("3 per 1 week")), NIGHT)},
)
CART = Flow(
    "cart_abandoned",
    [Email("reminder", after="4 hours"), Email("last_call", after="1 day, at 09:00")],
    priority="cart",
)
WELCOME = Flow("subscribed", [Email("hello"), Email("story", after="2 days, on weekdays at 18:30")])


def runs() -> list[datetime]:
    """Every other day at seven; every three hours in the days around a change of clocks, and the leap day."""
    near = [*CLOCKS_CHANGE, date(2028, 2, 29)]
    moments, at = [], BEGIN
    while at < END:
        moments.append(at)
        is_near = any(abs((at.date() - day).days) <= 1 for day in near)
        at += timedelta(hours=3) if is_near else timedelta(hours=36)
    return moments


def rows(as_of: datetime) -> Rows:
    """Everybody leaves a cart every nine days and subscribes once, at the same moments."""
    carts = [BEGIN + timedelta(days=9 * number, hours=number % 24) for number in range(40)]
    return {
        "core.contact_keys": [{"record_id": name, "contact_id": name} for name in ZONES],
        "core.contacts": [{"contact_id": n, "language": "en", "timezone": zone} for n, zone in ZONES.items()],
        "core.reach": [
            {"contact_id": name, "channel": "email", "address": f"{name}@example.org"} for name in ZONES
        ],
        "core.permissions": [
            {"contact_id": name, "channel": "email", "topic": "marketing"} for name in ZONES
        ],
        "triggers.cart_abandoned": [
            {"contact_id": name, "occurrence_id": f"cart-{number}-{name}", "occurred_at": left}
            for number, left in enumerate(carts)
            if as_of - timedelta(days=20) < left <= as_of
            for name in ZONES
        ],
        "triggers.subscribed": [
            {"contact_id": name, "occurrence_id": "first", "occurred_at": BEGIN} for name in ZONES
        ],
    }


def live(folder, moments: list[datetime]) -> Circuit:
    folder.mkdir()
    circuit = Circuit.open(folder, POLICY)
    steps = [*flow_steps(folder, "cart", CART), *flow_steps(folder, "welcome", WELCOME)]
    for as_of in moments:
        circuit.publish(rows(as_of), as_of)
        run = circuit.run(as_of)
        for step in steps:
            circuit.decide(step, run)
        for hours in range(0, 36, 4):  # what waits for its hour
            if as_of + timedelta(hours=hours) < next((at for at in moments if at > as_of), END):
                circuit.send(as_of + timedelta(hours=hours))
    return circuit


def test_a_year(tmp_path):
    circuit = live(tmp_path / "year", runs())
    assert len(circuit.sent) > 100
    assert len({sent.key for sent in circuit.sent}) == len(circuit.sent)
    for sent in circuit.sent:
        here = sent.at.astimezone(ZoneInfo(ZONES[sent.contact_id]))
        assert not NIGHT.cover(here.time()), sent
        if sent.step == "last_call":
            assert here.time() >= time(9), sent
        if sent.step == "story":
            assert here.weekday() < 5 and here.time() >= time(18, 30), sent
    for cap in POLICY.channel(Channel.EMAIL).caps:
        for sent in circuit.sent:
            recent = [
                other
                for other in circuit.sent
                if other.contact_id == sent.contact_id and sent.at - cap.window < other.at <= sent.at
            ]
            # A cart's mail does not wait for a welcome's.
            assert len([other for other in recent if other.flow == sent.flow]) <= cap.messages
    long_ago = END - timedelta(days=20)
    decided = circuit.decisions("flow", "step", "contact_id", "occurrence_id", "reason", "occurred_at")
    assert not [row for row in decided if row[4] in NOT_FINAL and row[5] < long_ago]
    asked = {(row[2], row[3]) for row in decided if row[0] == "flow_cart" and row[5] < long_ago}
    assert Counter((row[2], row[3]) for row in decided if (row[2], row[3]) in asked) == dict.fromkeys(
        asked, 2
    )


def test_a_replay_decides_the_same(tmp_path):
    moments = [at for at in runs() if date(2027, 10, 20) < at.date() < date(2027, 11, 6)]
    columns = ("flow", "flow_version", "step", "contact_id", "occurrence_id", "reason", "variant", "due_at")
    columns += ("send_at", "as_of", "inputs_until", "build_id", "run_id", "policy_version")
    one, two = (live(tmp_path / name, moments).decisions(*columns) for name in ("night", "replay"))
    assert one and repr(one) == repr(two)
