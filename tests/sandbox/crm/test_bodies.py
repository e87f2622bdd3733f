"""Whatever a client sends, the CRM answers with a record or with HubSpot's error body."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RECORDS = "/crm/objects/2026-09"
TO_CONTACT = {
    "to": {"id": "3"},
    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}],
}
BODIES: dict[str, dict[str, Any]] = {
    "/contacts": {"properties": {"email": "n@example.com", "firstname": "N"}},
    "/notes": {"properties": {"hs_timestamp": "2026-01-01T00:00:00Z"}, "associations": [TO_CONTACT]},
    "/contacts/search": {
        "filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GT", "value": "1"}]}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": ["email"],
        "query": "a",
        "limit": 5,
        "after": "0",
    },
    "/contacts/batch/read": {"inputs": [{"id": "1"}], "properties": ["email"], "idProperty": "hs_object_id"},
    "/contacts/batch/update": {"inputs": [{"id": "1", "properties": {"jobtitle": "x"}}]},
    "/contacts/batch/upsert": {
        "inputs": [{"id": "p@example.com", "idProperty": "email", "properties": {"jobtitle": "x"}}]
    },
    "/contacts/batch/archive": {"inputs": [{"id": "20"}]},
    "/contacts/merge": {"primaryObjectId": "1", "objectIdToMerge": "2"},
}


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from([(url, path) for url in BODIES for path in places(BODIES[url])]), value=anything)
def test_any_value_in_any_place(crm: httpx.Client, place: tuple[str, tuple[Any, ...]], value: Any) -> None:
    url, path = place
    body = copy.deepcopy(BODIES[url])
    target: Any = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    answer = crm.post(RECORDS + url, json=body)
    assert answer.status_code in {200, 201, 204, 207, 400, 404, 409}, answer.text
    if answer.status_code >= 400:
        assert answer.json()["status"] == "error"
