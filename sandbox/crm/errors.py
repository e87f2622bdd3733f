"""HubSpot's error bodies."""

from __future__ import annotations

import json
import uuid
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


def invalid(message: str, **more: Any) -> CrmError:
    """A request that is wrong in itself."""
    return CrmError(400, message, "VALIDATION_ERROR", **more)


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
