"""HubSpot's error bodies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any


class CrmError(Exception):
    """A request the CRM refuses: the HTTP status and what goes into the error body."""

    def __init__(self, status: int, message: str, category: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {}
        self.body: dict[str, Any] = {
            "status": "error",
            "message": message,
            "correlationId": str(uuid.uuid4()),
            "category": category,
            **more,
        }

    def part(self) -> dict[str, Any]:
        """The error as one of several in an answer that succeeded in part (207)."""
        return {"context": {}, "errors": [], "links": {}} | self.body


def invalid(message: str, **more: Any) -> CrmError:
    """A request that is wrong in itself."""
    return CrmError(400, message, "VALIDATION_ERROR", **more)


def objects_in(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of JSON objects out of a body; none if it is left out. Raises CrmError 400 for anything else."""
    listed = body.get(name)
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise invalid(f"Invalid input JSON: {name} must be a list of objects")
    return listed


def object_in(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A JSON object out of a body; empty if it is left out. Raises CrmError 400 for anything else."""
    found = body.get(name)
    if found is not None and not isinstance(found, dict):
        raise invalid(f"Invalid input JSON: {name} must be an object")
    return found or {}


def texts_in(body: Mapping[str, Any], name: str) -> list[str]:
    """A list of strings out of a body; none if it is left out. Raises CrmError 400 for anything else."""
    listed = body.get(name)
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise invalid(f"Invalid input JSON: {name} must be a list of strings")
    return listed


def invalid_properties(kind: str, problems: list[dict[str, str]]) -> CrmError:
    """Property values that are refused. Each problem: name, error (HubSpot's word), message."""
    listed = [
        {"isValid": False, "localizedErrorMessage": problem["message"], **problem} for problem in problems
    ]
    return invalid(
        f"Property values were not valid: {json.dumps(listed)}",
        errors=[
            {
                "message": problem["message"],
                "code": problem["error"],
                "context": {"propertyName": [problem["name"]]},
            }
            for problem in problems
        ],
        context={"objectType": [kind]},
    )


def not_found(message: str = "resource not found", **more: Any) -> CrmError:
    """A record, object type or path that is not there."""
    return CrmError(404, message, "OBJECT_NOT_FOUND", **more)
