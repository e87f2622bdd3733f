"""The CRM answers as HubSpot does: shapes, stateful writes, refusals."""

from __future__ import annotations

import httpx
import pytest

CONTACTS = "/crm/objects/2026-09/contacts"
DEALS = "/crm/objects/2026-09/deals"


def test_list_pages_through_every_record_exactly_once(crm: httpx.Client) -> None:
    seen, after = [], None
    while True:
        page = crm.get(CONTACTS, params={"limit": 10} | ({"after": after} if after else {})).json()
        seen += [record["id"] for record in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert seen == [str(number) for number in range(1, 26)]


def test_list_gives_the_properties_asked_for_as_strings_or_null(crm: httpx.Client) -> None:
    page = crm.get(CONTACTS, params={"limit": 1, "properties": "email,phone,nonsense"}).json()
    assert page["results"][0] == {
        "id": "1",
        "properties": {
            "createdate": "2026-02-21T12:00:00.000Z",
            "email": "person1@example.com",
            "hs_object_id": "1",
            "lastmodifieddate": "2026-05-07T12:00:00.000Z",
            "nonsense": None,
            "phone": None,
        },
        "createdAt": "2026-02-21T12:00:00.000Z",
        "updatedAt": "2026-05-07T12:00:00.000Z",
        "archived": False,
    }


def test_list_gives_associations_where_there_are_some(crm: httpx.Client) -> None:
    [deal] = crm.get(DEALS, params={"associations": "contacts,companies"}).json()["results"]
    assert deal["associations"] == {"contacts": {"results": [{"id": "3", "type": "deal_to_contact"}]}}


def test_get_by_email_ignores_case(crm: httpx.Client) -> None:
    found = crm.get(f"{CONTACTS}/PERSON4@example.com", params={"idProperty": "email"})
    assert found.json()["id"] == "4"


def test_a_write_moves_the_modification_date_to_the_worlds_now(crm: httpx.Client) -> None:
    answer = crm.patch(f"{CONTACTS}/1", json={"properties": {"firstname": "Änne"}})
    assert answer.status_code == 200
    record = crm.get(f"{CONTACTS}/1").json()
    assert record["properties"]["firstname"] == "Änne"
    assert record["updatedAt"] == record["properties"]["lastmodifieddate"] == "2026-06-01T12:00:00.000Z"


def test_create_gives_a_new_id_that_is_never_given_again(crm: httpx.Client) -> None:
    first = crm.post(CONTACTS, json={"properties": {"email": "new@example.com"}})
    assert (first.status_code, first.json()["id"]) == (201, "26")
    assert crm.post(f"{CONTACTS}/gdpr-delete", json={"objectId": "26"}).status_code == 204
    assert crm.get(f"{CONTACTS}/26").status_code == 404
    assert crm.post(CONTACTS, json={"properties": {"email": "new@example.com"}}).json()["id"] == "27"


def test_create_with_an_address_already_there_is_a_conflict(crm: httpx.Client) -> None:
    answer = crm.post(CONTACTS, json={"properties": {"email": "PERSON2@example.com"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == "Contact already exists. Existing ID: 2"
    assert answer.json()["category"] == "CONFLICT"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"no_such_property": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"email": "not an address"}, "INVALID_EMAIL"),
        ({"hubspotscore": "high"}, "INVALID_NUMBER"),
        ({"createdate": "2020-01-01"}, "READ_ONLY_VALUE"),
        ({"hs_email_optout": "maybe"}, "INVALID_OPTION"),
    ],
)
def test_refused_properties_are_named_and_nothing_is_written(
    crm: httpx.Client, properties: dict[str, str], code: str
) -> None:
    answer = crm.patch(f"{CONTACTS}/1", json={"properties": {"firstname": "X"} | properties})
    body = answer.json()
    assert (answer.status_code, body["status"], body["category"]) == (400, "error", "VALIDATION_ERROR")
    assert body["errors"][0]["code"] == code
    assert body["correlationId"]
    assert crm.get(f"{CONTACTS}/1").json()["properties"]["firstname"] == "P1"


def test_lifecycle_stage_moves_back_only_after_it_was_cleared(crm: httpx.Client) -> None:
    def stage(value: str) -> str | None:
        crm.patch(f"{CONTACTS}/1", json={"properties": {"lifecyclestage": value}})
        return crm.get(f"{CONTACTS}/1", params={"properties": "lifecyclestage"}).json()["properties"][
            "lifecyclestage"
        ]

    assert stage("customer") == "customer"
    assert stage("lead") == "customer"
    assert stage("") is None
    assert stage("lead") == "lead"


def test_archived_records_leave_lists_and_reads(crm: httpx.Client) -> None:
    assert crm.delete(f"{CONTACTS}/1").status_code == 204
    assert crm.get(f"{CONTACTS}/1").status_code == 404
    assert crm.get(CONTACTS, params={"limit": 1}).json()["results"][0]["id"] == "2"
    [archived] = crm.get(CONTACTS, params={"archived": "true"}).json()["results"]
    assert (archived["id"], archived["archived"], archived["archivedAt"]) == (
        "1",
        True,
        "2026-06-01T12:00:00.000Z",
    )
    again = crm.post(CONTACTS, json={"properties": {"email": "person1@example.com"}})
    assert again.status_code == 201, "an archived contact's address is free again"


def test_batch_upsert_updates_by_email_and_creates_the_rest(crm: httpx.Client) -> None:
    answer = crm.post(
        f"{CONTACTS}/batch/upsert",
        json={
            "inputs": [
                {"id": "person1@example.com", "idProperty": "email", "properties": {"jobtitle": "Buyer"}},
                {"id": "fresh@example.com", "idProperty": "email", "properties": {"jobtitle": "Chef"}},
            ]
        },
    )
    assert answer.status_code == 200
    assert [(one["id"], one["new"]) for one in answer.json()["results"]] == [("1", False), ("26", True)]
    fresh = crm.get(f"{CONTACTS}/26", params={"properties": ["email", "jobtitle"]}).json()["properties"]
    assert (fresh["email"], fresh["jobtitle"]) == ("fresh@example.com", "Chef")


def test_a_batch_with_one_bad_record_writes_nothing(crm: httpx.Client) -> None:
    inputs = [
        {"id": "1", "properties": {"firstname": "Changed"}},
        {"id": "2", "properties": {"email": "broken"}},
    ]
    assert crm.post(f"{CONTACTS}/batch/update", json={"inputs": inputs}).status_code == 400
    assert crm.get(f"{CONTACTS}/1").json()["properties"]["firstname"] == "P1"


def test_a_batch_takes_a_hundred_inputs_and_no_more(crm: httpx.Client) -> None:
    inputs = [{"properties": {"email": f"b{number}@example.com"}} for number in range(101)]
    refused = crm.post(f"{CONTACTS}/batch/create", json={"inputs": inputs})
    assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")
    assert crm.post(f"{CONTACTS}/batch/create", json={"inputs": inputs[:100]}).status_code == 201


def test_batch_read_gives_what_there_is_and_names_what_is_not(crm: httpx.Client) -> None:
    answer = crm.post(
        f"{CONTACTS}/batch/read",
        json={
            "idProperty": "email",
            "properties": ["firstname"],
            "inputs": [{"id": "person2@example.com"}, {"id": "nobody@example.com"}],
        },
    )
    body = answer.json()
    assert answer.status_code == 207
    assert [record["id"] for record in body["results"]] == ["2"]
    assert body["errors"][0]["context"] == {"ids": ["nobody@example.com"]}


def test_associations_are_written_both_ways_and_read_in_batches(crm: httpx.Client) -> None:
    made = crm.put(f"{DEALS}/9/associations/default/contacts/4")
    assert made.json()["results"][0]["associationSpec"]["associationTypeId"] == 3
    batch = crm.post(
        "/crm/associations/2026-09/deals/contacts/batch/read", json={"inputs": [{"id": "9"}, {"id": "10"}]}
    )
    assert batch.status_code == 207, "deal 10 is not there"
    [found] = batch.json()["results"]
    assert found["from"] == {"id": "9"}
    assert [to["toObjectId"] for to in found["to"]] == ["3", "4"]
    back = crm.get(f"{CONTACTS}/4/associations/deals").json()
    assert [to["toObjectId"] for to in back["results"]] == ["9"]
    crm.delete(f"{CONTACTS}/4/associations/deals/9")
    assert crm.get(f"{CONTACTS}/4/associations/deals").json() == {"results": []}


def test_an_association_with_types_answers_with_its_labels(crm: httpx.Client) -> None:
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    assert crm.put(f"{DEALS}/9/associations/contacts/5", json=types).json() == {
        "fromObjectTypeId": "0-3",
        "fromObjectId": "9",
        "toObjectTypeId": "0-1",
        "toObjectId": "5",
        "labels": [],
    }
    assert crm.put(f"{DEALS}/9/associations/contacts/999", json=types).status_code == 404
    assert crm.put(f"{DEALS}/9/associations/default/owners/77").status_code == 400


def test_a_note_needs_its_moment_and_is_created_with_its_contact(crm: httpx.Client) -> None:
    to_contact = {
        "to": {"id": "3"},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}],
    }
    note = {"properties": {"hs_note_body": "Score 80"}, "associations": [to_contact]}
    refused = crm.post("/crm/objects/2026-09/notes", json=note)
    assert (refused.status_code, refused.json()["context"]) == (400, {"properties": ["hs_timestamp"]})
    note["properties"]["hs_timestamp"] = "2026-06-01T10:00:00Z"
    created = crm.post("/crm/objects/2026-09/notes", json=note).json()
    read = crm.get(f"/crm/objects/2026-09/notes/{created['id']}", params={"associations": "contacts"}).json()
    assert read["associations"]["contacts"]["results"] == [{"id": "3", "type": "note_to_contact"}]


def test_merging_keeps_ids_addresses_and_associations(crm: httpx.Client) -> None:
    crm.patch(f"{CONTACTS}/3", json={"properties": {"jobtitle": "Buyer", "lifecyclestage": "customer"}})
    merged = crm.post(f"{CONTACTS}/merge", json={"primaryObjectId": "2", "objectIdToMerge": "3"})
    assert (merged.status_code, merged.json()["id"]) == (200, "2")
    wanted = [
        "email",
        "firstname",
        "jobtitle",
        "lifecyclestage",
        "hs_additional_emails",
        "hs_merged_object_ids",
    ]
    winner = crm.get(f"{CONTACTS}/2", params={"properties": wanted, "associations": "deals,companies"}).json()
    values = winner["properties"]
    assert {name: values[name] for name in wanted} == {
        "email": "person2@example.com",
        "firstname": "P2",
        "jobtitle": "Buyer",
        "lifecyclestage": "customer",
        "hs_additional_emails": "person3@example.com",
        "hs_merged_object_ids": "3",
    }
    assert winner["associations"]["deals"]["results"][0]["id"] == "9"
    assert winner["associations"]["companies"]["results"][0]["id"] == "1"
    assert crm.get(f"{CONTACTS}/3").json()["id"] == "2", "the merged id answers with the winner"
    by_old_address = crm.get(f"{CONTACTS}/person3@example.com", params={"idProperty": "email"})
    assert by_old_address.json()["id"] == "2"


def test_owners_page_and_are_found_by_address(crm: httpx.Client) -> None:
    body = crm.get("/crm/owners/2026-09", params={"limit": 100}).json()
    assert [(one["id"], one["firstName"], one["type"]) for one in body["results"]] == [
        ("77", "Ada", "PERSON")
    ]
    assert crm.get("/crm/owners/2026-09", params={"email": "ADA@example.org"}).json()["results"]
    assert crm.get("/crm/owners/2026-09", params={"email": "eve@example.org"}).json()["results"] == []
    assert crm.get("/crm/owners/2026-09/77").json()["email"] == "ada@example.org"
    assert crm.get("/crm/owners/2026-09/78").status_code == 404


def test_a_property_of_ones_own_can_be_written_once_it_is_defined(crm: httpx.Client) -> None:
    score = {"properties": {"kreislauf_lead_score": 80}}
    assert crm.patch(f"{CONTACTS}/1", json=score).status_code == 400
    definition = {
        "name": "kreislauf_lead_score",
        "label": "Lead score",
        "type": "number",
        "fieldType": "number",
    }
    assert crm.post("/crm/properties/2026-09/contacts", json=definition).status_code == 201
    assert crm.post("/crm/properties/2026-09/contacts", json=definition).status_code == 409
    assert crm.patch(f"{CONTACTS}/1", json=score).json()["properties"]["kreislauf_lead_score"] == "80"


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "a-service-key"}]
)
def test_without_the_token_nothing_is_served(crm: httpx.Client, header: dict[str, str]) -> None:
    answer = httpx.get(crm.base_url.join(CONTACTS), headers=header)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


@pytest.mark.parametrize("path", ["/crm/v3/objects/contacts", "/crm/objects/2027-01/contacts"])
def test_another_api_version_is_not_there(crm: httpx.Client, path: str) -> None:
    assert crm.get(path).status_code == 404


def test_malformed_json_is_refused_not_ignored(crm: httpx.Client) -> None:
    answer = crm.post(f"{CONTACTS}/search", content=b"{not json")
    assert answer.status_code == 400
    assert "Invalid input JSON" in answer.json()["message"]


@pytest.mark.parametrize("limit", ["0", "101", "ten"])
def test_a_page_size_out_of_bounds_is_refused(crm: httpx.Client, limit: str) -> None:
    assert crm.get(CONTACTS, params={"limit": limit}).status_code == 400


def test_tickets_are_found_by_their_change_and_lead_to_a_contact(crm: httpx.Client) -> None:
    tickets = "/crm/objects/2026-09/tickets"
    filters = [{"propertyName": "closed_date", "operator": "GTE", "value": "2026-06-01T00:00:00Z"}]
    found = crm.post(f"{tickets}/search", json={"filters": filters, "properties": ["closed_date"]}).json()
    assert [ticket["id"] for ticket in found["results"]] == ["6"]
    assert found["results"][0]["properties"]["closed_date"] == "2026-06-01T12:00:00.000Z"
    read = "/crm/associations/2026-09/tickets/contacts/batch/read"
    [result] = crm.post(read, json={"inputs": [{"id": "6"}]}).json()["results"]
    assert result["to"][0]["toObjectId"] == "3"
    assert crm.post(tickets, json={"properties": {"subject": "No stage"}}).status_code == 400
