"""HubSpot's CRM API: first sync by listing, changes by search, archived records by their own list.

Properties are asked for by the declared columns. A search gives 10,000 results at most, and any
number of records may share one moment of change: so the window stays fixed, and each request asks
for the ids above the last one, in the order of ids. No cursor, no limit, no loop.
Sources of the rules: developers.hubspot.com, "Search the CRM" and "API usage guidelines".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from kreislauf.connections import Connection
from kreislauf.landing.manifest import Manifest, Window, parse
from kreislauf.sources.base import Position, line
from kreislauf.sources.http import PATIENCE, Api
from kreislauf.sources.streams import Stream

API_VERSION = "2026-09"
LIST_PAGE = 100
SEARCH_PAGE = 200
ASSOCIATIONS_PAGE = 100

MODIFIED = {"contacts": "lastmodifieddate"}
"""The property that holds the moment of the last change; all other objects call it `hs_lastmodifieddate`."""

ASSOCIATED = {"deals": "contacts", "notes": "contacts", "tickets": "contacts"}

Record = dict[str, Any]


class HubspotSource:
    """A HubSpot account. The connection's password is a service key or private-app token."""

    api_version: str | None = API_VERSION
    goes_by_window = True

    def __init__(
        self, connection: Connection, patience: float = PATIENCE, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._api = Api(
            connection, lambda: {"Authorization": f"Bearer {connection.secret()}"}, patience, sleep
        )

    def now(self) -> datetime | None:
        self._api.json("GET", f"/crm/owners/{API_VERSION}", params={"limit": "1"})
        return self._api.now()

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]:
        return (line(record) for record in self._records(stream, window))

    def position(self) -> Position:
        return Position()

    def committed(self) -> None:
        """Nothing to tidy up."""

    def _records(self, stream: Stream, window: Window) -> Iterator[Record]:
        if stream.snapshot:
            for is_archived in (False, True):
                for page in self._listed(f"/crm/{stream.name}/{API_VERSION}", archived=is_archived):
                    yield from page
            return
        live = self._all(stream) if window.since is None else self._changed(stream, window)
        for page in live:
            self._associate(stream, page)
            yield from page
        for page in self._all(stream, archived=True):
            yield from (record for record in page if _is_in(window, record.get("archivedAt")))

    def _all(self, stream: Stream, archived: bool = False) -> Iterator[list[Record]]:
        """All records, or all archived ones, a page at a time."""
        properties = ",".join(_properties(stream))
        return self._listed(f"/crm/objects/{API_VERSION}/{stream.name}", archived, properties=properties)

    def _listed(self, path: str, archived: bool, **more: str) -> Iterator[list[Record]]:
        parameters = {"limit": str(LIST_PAGE), "archived": str(archived).lower()} | more
        while True:
            answer = self._api.json("GET", path, params=parameters)
            yield answer["results"]
            if not (following := _next(answer)):
                return
            parameters["after"] = following

    def _changed(self, stream: Stream, window: Window) -> Iterator[list[Record]]:
        """The records changed in a window, a page at a time, by id."""
        modified = MODIFIED.get(stream.name, "hs_lastmodifieddate")
        last_id = "0"
        while True:
            filters = [
                {"propertyName": modified, "operator": "LT", "value": _millis(window.until)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": last_id},
            ]
            if window.since:
                filters.append({"propertyName": modified, "operator": "GTE", "value": _millis(window.since)})
            body = {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": _properties(stream),
                "limit": SEARCH_PAGE,
            }
            page = self._api.json("POST", f"/crm/objects/{API_VERSION}/{stream.name}/search", json=body)[
                "results"
            ]
            if not page:
                return
            yield page
            last_id = page[-1]["id"]

    def _associate(self, stream: Stream, records: list[Record]) -> None:
        """Put the ids of associated records where the list endpoint would; a search cannot give them."""
        to = ASSOCIATED.get(stream.name)
        if not to:
            return
        found: dict[str, list[Record]] = {record["id"]: [] for record in records}
        path = f"/crm/associations/{API_VERSION}/{stream.name}/{to}/batch/read"
        wanted = [{"id": record["id"]} for record in records]
        while wanted:
            asked, wanted = wanted[:ASSOCIATIONS_PAGE], wanted[ASSOCIATIONS_PAGE:]
            for result in self._api.json("POST", path, json={"inputs": asked})["results"]:
                found[result["from"]["id"]] += [{"id": str(one["toObjectId"])} for one in result["to"]]
                if following := _next(result):
                    wanted.append({"id": result["from"]["id"], "after": following})
        for record in records:
            record["associations"] = {to: {"results": found[record["id"]]}}


def _properties(stream: Stream) -> list[str]:
    """The properties that the declared columns are read from."""
    paths = (column.path for table in stream.tables.values() for column in table.columns.values())
    return sorted({path.removeprefix("$.properties.") for path in paths if path.startswith("$.properties.")})


def _next(answer: Record) -> str | None:
    return ((answer.get("paging") or {}).get("next") or {}).get("after")


def _is_in(window: Window, moment: str | None) -> bool:
    """Whether a moment lies in the window; one that is not told might."""
    archived_at = parse(moment)
    if archived_at is None:
        return True
    return archived_at < window.until and (window.since is None or archived_at >= window.since)


def _millis(moment: Any) -> str:
    return str(int(moment.timestamp() * 1000))
