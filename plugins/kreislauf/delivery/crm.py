"""The CRM as a channel: tasks and notes for sales, and values of a contact's fields, in HubSpot.

Documented at https://developers.hubspot.com/docs/api-reference/crm-tasks-v3 (and notes, contacts). A
message's address is the contact's id there, or the e-mail address of somebody who is added first. A task or
a note carries the message's key in a property of ours, and is searched by it before it is written a second
time; a field's value may be written as often as one likes. So a batch that failed is offered again, `TRIES`
times, before it is in doubt.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from kreislauf.delivery.parts import DUE_IN
from kreislauf.delivery.single import TIMEOUT, no_answer, retry_at
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, Recipient, refuse_to_leave
from kreislauf.ledger.store import utc_now
from kreislauf.sources.http import server_time

if TYPE_CHECKING:
    from kreislauf.connections import Connection

VERSION = "2026-09"
DEFAULT_HOST = "https://api.hubapi.com"
BATCH_SIZE = 100
"""HubSpot's limit of inputs in a batch request."""

KEY_PROPERTY = "kreislauf_message_key"

TRIES = 6
FIRST_WAIT = timedelta(minutes=1)
"""Doubled with each try. Not shorter: HubSpot's search knows a new record only after some seconds."""

_ASSOCIATION = {"tasks": 204, "notes": 202}
"""HubSpot's own types of the association to a contact."""


class _Stopped(Exception):
    """An answer that ends the batch."""

    def __init__(self, kind: Kind, text: str, status: int | None = None, at: datetime | None = None) -> None:
        super().__init__(text)
        self.kind, self.status, self.at = kind, status, at


@dataclass(frozen=True)
class CrmTransport:
    """Writes to one account."""

    sender: From
    host: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, connection: Connection) -> CrmTransport:
        """From a connection: host (default HubSpot's), password: the access token of a private app that may
        read contacts and owners and write contacts, tasks, notes and their properties."""
        host = connection.url if connection.host else DEFAULT_HOST
        refuse_to_leave(host)
        return cls(From.of(connection, needs=()), host, connection.secret())

    def send(self, envelope: Envelope) -> Answer:
        """A few requests a batch. Contacts the CRM does not know, and values it refuses, are rejected."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.host, timeout=TIMEOUT, headers=headers) as client:
            try:
                rejected = _Round(client, envelope).rejected()
            except _Stopped as stopped:
                return _answer(stopped, envelope.attempt)
        kind = Kind.SOME_REJECTED if len(rejected) == len(envelope.recipients) else Kind.ACCEPTED
        return Answer(kind, rejected=rejected)


class _Round:
    """One batch under way. Raises _Stopped for what concerns all of it."""

    def __init__(self, client: httpx.Client, envelope: Envelope) -> None:
        self._client = client
        self._envelope = envelope
        self._now = utc_now()
        self._owners: dict[str, str] = {}

    def rejected(self) -> dict[str, str]:
        """Write everything; the messages that cannot be written, with the reason."""
        contacts = self._contacts()
        rejected, inputs = {}, {}
        if self._kind in _ASSOCIATION:
            self._need_property()
        written = self._written() if self._envelope.attempt > 1 else set()
        for person in self._envelope.recipients:
            if (contact := contacts.get(person.address)) is None:
                rejected[person.message_key] = "the CRM does not know the contact"
            elif person.message_key not in written:
                inputs[person.message_key] = self._input(person, contact)
        path = f"{self._kind}/batch/create" if self._kind in _ASSOCIATION else "contacts/batch/update"
        for key, reason in self._write(path, inputs):
            rejected[key] = reason
        return rejected

    @property
    def _kind(self) -> str:
        return {"task": "tasks", "note": "notes", "field": "contacts"}[self._envelope.parts["kind"]]

    def _contacts(self) -> dict[str, Mapping[str, Any]]:
        """The contacts by what was asked for: an id, also one merged into another, or an e-mail address."""
        asked = list(dict.fromkeys(person.address for person in self._envelope.recipients))
        added = self._added([address for address in asked if "@" in address])
        ids = [address for address in asked if address.isdigit()] + list(added.values())
        if not ids:
            return {}
        body = {
            "properties": ["hubspot_owner_id", "hs_merged_object_ids"],
            "inputs": [{"id": one} for one in dict.fromkeys(ids)],
        }
        found = {}
        for contact in _results(self._ask("POST", _objects("contacts/batch/read"), body)):
            merged = (contact["properties"].get("hs_merged_object_ids") or "").split(";")
            found |= dict.fromkeys([contact["id"], *merged], contact)
        return found | {address: found[id_] for address, id_ in added.items() if id_ in found}

    def _added(self, addresses: list[str]) -> dict[str, str]:
        """Ids by e-mail address. Who is not there yet is added; an address that is refused has none."""
        if not addresses:
            return {}
        inputs = [{"idProperty": "email", "id": one, "properties": {"email": one}} for one in addresses]
        response = self._ask("POST", _objects("contacts/batch/upsert"), {"inputs": inputs})
        if response.status_code in {400, 409}:
            if len(addresses) == 1:
                return {}
            middle = len(addresses) // 2
            return self._added(addresses[:middle]) | self._added(addresses[middle:])
        return {one["properties"]["email"]: one["id"] for one in _results(response)}

    def _written(self) -> set[str]:
        """The keys of this batch that the CRM has already."""
        if self._kind not in _ASSOCIATION:
            return set()
        keys = [person.message_key for person in self._envelope.recipients]
        wanted = {"propertyName": KEY_PROPERTY, "operator": "IN", "values": keys}
        body = {"filterGroups": [{"filters": [wanted]}], "properties": [KEY_PROPERTY], "limit": 200}
        found = _results(self._ask("POST", _objects(f"{self._kind}/search"), body))
        return {one["properties"][KEY_PROPERTY] for one in found}

    def _need_property(self) -> None:
        """Add the property that carries the message's key, where the account has none yet."""
        path = f"/crm/properties/{VERSION}/{self._kind}"
        if self._ask("GET", f"{path}/{KEY_PROPERTY}", None).status_code != 404:
            return
        group = {"tasks": "task", "notes": "note"}[self._kind]
        body = {"name": KEY_PROPERTY, "label": "Kreislauf: message", "groupName": group}
        response = self._ask("POST", path, body | {"type": "string", "fieldType": "text"})
        if response.status_code != 409:  # somebody else was faster
            _judge(response)

    def _input(self, person: Recipient, contact: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._envelope.parts_for(person)
        if self._kind == "contacts":
            return {"id": contact["id"], "properties": {parts["field"]: parts["value"]}}
        owner = self._owner(parts.get("owner", "")) or contact["properties"].get("hubspot_owner_id")
        properties = {KEY_PROPERTY: person.message_key, "hubspot_owner_id": owner or ""}
        body = html.escape(parts["body"]).replace("\n", "<br>")
        if self._kind == "tasks":
            properties |= {
                "hs_timestamp": _iso(self._now + _due(parts.get("due_in", ""))),
                "hs_task_subject": parts["subject"],
                "hs_task_body": body,
                "hs_task_status": "NOT_STARTED",
                "hs_task_priority": (parts.get("priority") or "medium").upper(),
                "hs_task_type": "TODO",
            }
        else:
            subject = f"<b>{html.escape(parts['subject'])}</b><br>" if parts.get("subject") else ""
            properties |= {"hs_timestamp": _iso(self._now), "hs_note_body": subject + body}
        types = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": _ASSOCIATION[self._kind]}
        return {"properties": properties, "associations": [{"to": {"id": contact["id"]}, "types": [types]}]}

    def _owner(self, given: str) -> str:
        """An owner's id, of an id or an address; empty if the CRM has no such owner."""
        if not given or given.isdigit():
            return given
        if given not in self._owners:
            path = f"/crm/owners/{VERSION}"
            found = _results(self._ask("GET", path, None, params={"email": given}))
            self._owners[given] = found[0]["id"] if found else ""
        return self._owners[given]

    def _write(self, path: str, inputs: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
        """Write inputs by message key; the ones refused. A refused request is halved until it is one."""
        if not inputs:
            return
        response = self._ask("POST", _objects(path), {"inputs": list(inputs.values())})
        if response.status_code in {400, 409}:
            if len(inputs) == 1:
                yield next(iter(inputs)), f"the CRM refused it ({response.status_code})"
                return
            keys = list(inputs)
            for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                yield from self._write(path, {key: inputs[key] for key in half})
            return
        done = _results(response)
        if response.status_code == 207:
            names = {one["properties"].get(KEY_PROPERTY) for one in done} | {one["id"] for one in done}
            for key, one in inputs.items():
                if key not in names and one.get("id") not in names:
                    yield key, "the CRM refused it (207)"

    def _ask(self, method: str, path: str, body: Any, **options: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body, **options)
        except httpx.TransportError as error:
            failed = no_answer(error, "the CRM", "crm")
            raise _Stopped(failed.kind, failed.error or "") from error
        self._now = server_time(response) or self._now
        return response


def _judge(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if response.is_success:
        return response
    if status == 429:
        raise _Stopped(Kind.LATER, "the CRM throttles (429)", status, retry_at(response))
    if status >= 500:
        raise _Stopped(Kind.IN_DOUBT, f"the CRM failed with {status}", status)
    hint = "check the password and what its app may do" if status in {401, 403} else "check the host"
    raise _Stopped(Kind.REFUSED, f"the CRM refuses the request ({status}); {hint} (connection 'crm')", status)


def _results(response: httpx.Response) -> list[Any]:
    """What an answer lists. A proxy's page with status 200 is no answer."""
    try:
        return _judge(response).json()["results"]
    except (ValueError, LookupError, TypeError):
        raise _Stopped(Kind.IN_DOUBT, "the CRM's answer cannot be read", response.status_code) from None


def _answer(stopped: _Stopped, attempt: int) -> Answer:
    kind, at = stopped.kind, stopped.at
    if kind is Kind.IN_DOUBT and attempt < TRIES:
        kind, at = Kind.LATER, utc_now() + FIRST_WAIT * 2 ** (attempt - 1)
    return Answer(kind, stopped.status, error=str(stopped), retry_at=at)


def _objects(path: str) -> str:
    return f"/crm/objects/{VERSION}/{path}"


def _due(words: str) -> timedelta:
    found = DUE_IN.fullmatch(words)
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else timedelta(days=1)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
