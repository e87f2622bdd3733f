"""Search follows HubSpot's rules, also where they hurt: 10,000 results, equal timestamps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sandbox.crm.store import milliseconds, put
from sandbox.store import Store

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SEARCH = "/crm/objects/2026-09/contacts/search"


def found(crm: httpx.Client, *filters: dict, path: str = SEARCH, **query) -> list[str]:
    answer = crm.post(path, json={"filterGroups": [{"filters": list(filters)}], "limit": 200, **query})
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["results"])
    return [record["id"] for record in answer.json()["results"]]


def where(name: str, operator: str, value: object = None, **more: object) -> dict:
    return {"propertyName": name, "operator": operator, "value": value} | more


def test_a_window_of_modification_dates_in_milliseconds_or_iso(crm: httpx.Client) -> None:
    since, until = NOW - timedelta(days=5), NOW - timedelta(days=2)
    window = [
        where("lastmodifieddate", "GTE", milliseconds(since)),
        where("lastmodifieddate", "LT", until.isoformat()),
    ]
    assert found(crm, *window, sorts=["lastmodifieddate"]) == ["21", "22", "23"]


@pytest.mark.parametrize(
    ("one", "ids"),
    [
        (where("hs_object_id", "GT", "23"), ["24", "25"]),
        (where("email", "EQ", "PERSON7@example.com"), ["7"]),
        (where("hs_object_id", "IN", values=["3", "5"]), ["3", "5"]),
        (where("firstname", "IN", values=["P3", "p5"]), ["3", "5"]),
        (where("hs_object_id", "BETWEEN", "3", highValue="4"), ["3", "4"]),
        (where("email", "CONTAINS_TOKEN", "*person25*"), ["25"]),
        (where("phone", "HAS_PROPERTY"), []),
    ],
)
def test_operators(crm: httpx.Client, one: dict, ids: list[str]) -> None:
    assert found(crm, one) == ids


def test_groups_are_alternatives_and_filters_conditions(crm: httpx.Client) -> None:
    groups = [
        {"filters": [where("hs_object_id", "EQ", 1)]},
        {"filters": [where("hs_object_id", "GT", 20), where("hs_object_id", "LT", 22)]},
    ]
    results = crm.post(SEARCH, json={"filterGroups": groups}).json()["results"]
    assert [record["id"] for record in results] == ["1", "21"]


def test_numbers_compare_and_sort_as_numbers(crm: httpx.Client) -> None:
    companies = "/crm/objects/2026-09/companies/search"
    assert found(crm, where("numberofemployees", "LT", 100), path=companies) == ["1"]
    by_size = [{"propertyName": "numberofemployees", "direction": "DESCENDING"}]
    assert found(crm, path=companies, sorts=by_size) == ["2", "1"]


def test_pages_carry_total_and_the_place_of_the_next(crm: httpx.Client) -> None:
    first = crm.post(SEARCH, json={"limit": 20, "sorts": ["hs_object_id"]}).json()
    assert (first["total"], len(first["results"]), first["paging"]["next"]["after"]) == (25, 20, "20")
    second = crm.post(SEARCH, json={"limit": 20, "after": "20", "sorts": ["hs_object_id"]}).json()
    assert [record["id"] for record in second["results"]] == ["21", "22", "23", "24", "25"]
    assert "paging" not in second


def test_free_text_finds_names_and_addresses(crm: httpx.Client) -> None:
    results = crm.post("/crm/objects/2026-09/companies/search", json={"query": "söhne"}).json()["results"]
    assert [record["id"] for record in results] == ["1"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 201},
        {"after": "9900", "limit": 101},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [where("email", "HAS_PROPERTY")] * 7}]},
        {"filterGroups": [{"filters": [where("no_such_property", "EQ", 1)]}]},
        {"filterGroups": [{"filters": [where("email", "SOUNDS_LIKE", 1)]}]},
        {"filterGroups": [{"filters": [where("lastmodifieddate", "GT", "yesterday")]}]},
        {"filterGroups": [{"filters": [where("email", "EQ")]}]},
        {"sorts": ["email", "firstname"]},
        {"sorts": ["firstname; drop table crm_object"]},
    ],
)
def test_what_hubspot_refuses_is_refused(crm: httpx.Client, query: dict) -> None:
    answer = crm.post(SEARCH, json=query)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_more_than_ten_thousand_with_one_timestamp_are_reached_by_id_only(
    crm: httpx.Client, world: Store
) -> None:
    """HubSpot's own batch updates give thousands of records the same modification date."""
    with world.write() as db:
        for number in range(100, 10_300):
            put(db, "contacts", number, {"firstname": "Same"}, NOW, NOW)
    same = where("lastmodifieddate", "EQ", milliseconds(NOW))

    def page(after_id: int) -> dict:
        filters = [same, where("hs_object_id", "GT", after_id)]
        query = {"filterGroups": [{"filters": filters}], "sorts": ["hs_object_id"], "limit": 200}
        return crm.post(SEARCH, json=query).json()

    seen: list[str] = []
    while results := page(int(seen[-1]) if seen else 0)["results"]:
        seen += [record["id"] for record in results]
    assert len(seen) == len(set(seen)) == 10_200
    beyond = crm.post(SEARCH, json={"filterGroups": [{"filters": [same]}], "after": "10000", "limit": 100})
    assert beyond.status_code == 400


def test_merged_and_archived_contacts_are_not_found(crm: httpx.Client) -> None:
    crm.post("/crm/objects/2026-09/contacts/merge", json={"primaryObjectId": "2", "objectIdToMerge": "3"})
    crm.delete("/crm/objects/2026-09/contacts/4")
    assert found(crm, where("hs_object_id", "BETWEEN", 2, highValue=5)) == ["2", "5"]
