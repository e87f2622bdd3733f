"""Whatever a client sends, it is accepted or refused by field, never an accident."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.mail.messages import accept
from sandbox.mail.tables import SCHEMA
from sandbox.mail.validation import problems

NOW = 1_780_000_000
VALID: dict[str, Any] = {
    "personalizations": [
        {
            "to": [{"email": "a@example.com", "name": "A"}],
            "cc": [{"email": "c@example.com"}],
            "substitutions": {"%a%": "b"},
            "custom_args": {"mk": "1"},
            "headers": {"X-A": "b"},
            "send_at": NOW + 60,
            "subject": "Own",
        }
    ],
    "from": {"email": "s@example.com", "name": "S"},
    "reply_to": {"email": "r@example.com"},
    "subject": "Hello",
    "content": [{"type": "text/plain", "value": "x"}, {"type": "text/html", "value": "<p>x</p>"}],
    "attachments": [{"content": "eA==", "filename": "x.txt"}],
    "categories": ["a"],
    "custom_args": {"bk": "1"},
    "headers": {"X-B": "c"},
    "send_at": NOW + 60,
    "asm": {"group_id": 1, "groups_to_display": [1]},
    "mail_settings": {"sandbox_mode": {"enable": False}},
    "tracking_settings": {"open_tracking": {"enable": True}},
}


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(list(places(VALID))), value=anything)
def test_any_value_in_any_place_is_accepted_or_refused(place: tuple[Any, ...], value: Any) -> None:
    payload = copy.deepcopy(VALID)
    target: Any = payload
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    found = problems(payload, NOW)
    assert all(problem.field for problem in found)
    if not found:
        db = sqlite3.connect(":memory:")
        db.executescript(SCHEMA)
        accept(db, payload, NOW)
        assert db.execute("select count(*) from mail_message").fetchone()[0] >= 1


def test_the_example_itself_is_valid() -> None:
    assert problems(VALID, NOW) == []
