from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from kreislauf.connections import Connection
from kreislauf.landing.extract import extract
from kreislauf.landing.zone import LandingZone
from kreislauf.sources import hubspot
from kreislauf.sources.errors import Unauthorized
from kreislauf.sources.hubspot import HubspotSource
from kreislauf.sources.streams import (
    CRM_COMPANIES,
    CRM_CONTACTS,
    CRM_DEALS,
    CRM_NOTES,
    CRM_OWNERS,
    CRM_TICKETS,
)

LONG_AGO = timedelta(days=3650)
SOON = timedelta(seconds=1)


@pytest.fixture
def crm(crm_connection) -> HubspotSource:
    return HubspotSource(crm_connection, patience=30)


@pytest.fixture
def call(sandbox):
    """A request to the CRM as somebody else who works in it."""

    def call(method: str, path: str, **request):
        headers = {"Authorization": f"Bearer {sandbox.crm_token}"}
        for _ in range(40):
            answer = httpx.request(
                method, f"{sandbox.crm}/crm/objects/2026-09/{path}", headers=headers, **request
            )
            if answer.status_code != 429:
                break
            time.sleep(0.3)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    return call


def by_id(records):
    return {record["id"]: record for record in records}


@pytest.mark.parametrize(
    "stream", [CRM_CONTACTS, CRM_COMPANIES, CRM_DEALS, CRM_NOTES, CRM_TICKETS], ids=lambda s: s.name
)
def test_listing_and_searching_read_the_same(crm, read, now, stream):
    listed = read(crm, stream, None, now + SOON)
    searched = read(crm, stream, now - LONG_AGO, now + SOON)
    assert len(listed) == len(by_id(listed))
    assert by_id(searched) == by_id(listed)


def test_there_is_something_to_read(crm, read, now):
    assert len(read(crm, CRM_CONTACTS, None, now + SOON)) > 10


def test_owners_are_read_whole_each_time(crm, read, now):
    assert read(crm, CRM_OWNERS, None, now) == read(crm, CRM_OWNERS, now, now + SOON) != []


def test_an_account_without_our_own_properties_works_too(serve, tmp_path):
    """HubSpot leaves out of its answers what it does not know."""
    moments = {"createdAt": "2026-11-01T00:00:00Z", "updatedAt": "2026-11-02T00:00:00Z"}
    contact = {"id": "1", **moments, "archived": False, "properties": {"email": "ada@example.com"}}
    pages = [json.dumps({"results": results}).encode() for results in ([], [contact], [])]
    server = serve(*[(200, {}, page) for page in pages])
    source = HubspotSource(Connection("crm", "http", host=server.url, password="key"), patience=1)
    zone = LandingZone(tmp_path)
    manifest = extract(source, CRM_CONTACTS, zone, datetime(2026, 11, 3, tzinfo=UTC))
    assert (manifest.tables["crm_contacts"]["rows"], manifest.quarantined) == (1, 0)
    assert "properties.bant_budget" in manifest.missing_fields
    assert all("bant_budget" in path for _, path, _ in server.requests[1:])


def test_all_declared_properties_are_asked_for(crm, read, now):
    [*_, contact] = read(crm, CRM_CONTACTS, None, now + SOON)
    wanted = {
        column.path.removeprefix("$.properties.")
        for column in CRM_CONTACTS.tables["crm_contacts"].columns.values()
        if column.path.startswith("$.properties.")
    }
    assert wanted <= contact["properties"].keys()


def test_a_window_has_what_changed_in_it(crm, call, read, now):
    contact = read(crm, CRM_CONTACTS, None, now + SOON)[0]
    assert contact["id"] not in by_id(read(crm, CRM_CONTACTS, now, now + SOON))
    call("PATCH", f"contacts/{contact['id']}", json={"properties": {"jobtitle": "Director"}})
    changed = by_id(read(crm, CRM_CONTACTS, now, now + SOON))
    assert changed[contact["id"]]["properties"]["jobtitle"] == "Director"


def test_any_number_of_records_may_have_changed_at_once(crm, call, read, now, monkeypatch):
    """A batch write gives many records one moment; paging by that moment would never get past them."""
    made = [f"batch{number}@example.com" for number in range(90)]
    for start in (0, 45):
        inputs = [{"properties": {"email": address}} for address in made[start : start + 45]]
        call("POST", "contacts/batch/create", json={"inputs": inputs})
    monkeypatch.setattr(hubspot, "SEARCH_PAGE", 20)
    found = read(crm, CRM_CONTACTS, now, now + SOON)
    assert {contact["properties"]["email"] for contact in found} >= set(made)
    assert len(found) == len(by_id(found))


def test_archived_records_are_seen(crm, call, read, now):
    [contact] = call(
        "POST", "contacts/batch/create", json={"inputs": [{"properties": {"email": "gone@example.com"}}]}
    )["results"]
    call("DELETE", f"contacts/{contact['id']}")
    assert by_id(read(crm, CRM_CONTACTS, now, now + SOON))[contact["id"]]["archived"] is True


def test_associated_contacts_come_with_notes(crm, call, read, now):
    contact, other = read(crm, CRM_CONTACTS, None, now + SOON)[:2]
    note = call(
        "POST", "notes", json={"properties": {"hs_note_body": "x", "hs_timestamp": "2026-11-01T00:00:00Z"}}
    )
    for one in (contact, other):
        call("PUT", f"notes/{note['id']}/associations/default/contacts/{one['id']}")
    for since in (None, now - SOON):
        found = by_id(read(crm, CRM_NOTES, since, now + SOON))[note["id"]]
        assert {one["id"] for one in found["associations"]["contacts"]["results"]} == {
            contact["id"],
            other["id"],
        }


def test_throttles_and_faults_are_survived(crm, sandbox, read, now):
    whole = read(crm, CRM_CONTACTS, None, now + SOON)
    sandbox.fault("/crm", 503, times=1)
    sandbox.fault("/crm", 429, times=1, skip=1, body={"policyName": "SECONDLY"})
    sandbox.fault("/crm", "drop", times=1, skip=1)
    try:
        assert read(crm, CRM_CONTACTS, None, now + SOON) == whole
    finally:
        sandbox.clear_faults()


def test_a_wrong_key_fails_at_once_and_names_the_connection(crm_connection, read, now):
    wrong = HubspotSource(replace(crm_connection, password="hunter2"))
    with pytest.raises(Unauthorized, match="connection 'crm'") as caught:
        read(wrong, CRM_CONTACTS, None, now)
    assert "hunter2" not in str(caught.value)
