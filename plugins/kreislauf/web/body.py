"""Reading what is posted to us, and no more than we want to."""

from __future__ import annotations

import json
from typing import Any

from fastapi import HTTPException, Request

MOST_BYTES = 16 * 1024
"""Enough for everything but events, which come in batches."""


async def read(request: Request, most: int = MOST_BYTES) -> bytes:
    """The body. Raises HTTPException 413 if it is larger than `most`."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, "too large")
        parts.append(part)
    return b"".join(parts)


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises HTTPException 413, or 400 if it is none."""
    try:
        found = json.loads(await read(request))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return found


def text(given: dict[str, Any], name: str, longest: int, default: str | None = None) -> str:
    """A text of an object. Raises HTTPException 400 if it is missing, no text, or too long."""
    value = given.get(name, default)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise HTTPException(400, f"{name} must be a text of 1 to {longest} characters")
    return value
