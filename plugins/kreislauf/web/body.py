"""Reading what is posted to us, and no more than we want to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import HTTPException, Request

MOST_BYTES = 16 * 1024
"""Enough for everything but events, which come in batches."""

PATIENCE = 20.0
"""Seconds within which a body has to be there: who sends a byte a minute holds a connection for ever."""


async def read(request: Request, most: int = MOST_BYTES) -> bytes:
    """The body. Raises HTTPException 413 if it is larger than `most`, 408 if it does not come."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HTTPException(413, "too large")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, "the body did not come") from None
    return b"".join(parts)


def parsed(posted: bytes) -> Any:
    """A body as JSON. Raises ValueError if it is none, or is nested so deeply that it is an attack."""
    try:
        return json.loads(posted)
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises HTTPException 408, 413, or 400 if it is none."""
    try:
        found = parsed(await read(request))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return found


def text(given: dict[str, Any], name: str, longest: int, default: str | None = None) -> str:
    """A text of an object. Raises HTTPException 400 if it is missing, no text, or too long."""
    value = given.get(name, default)
    if not isinstance(value, str) or not value or len(value) > longest or not is_storable(value):
        raise HTTPException(400, f"{name} must be a text of 1 to {longest} characters")
    return value


def is_storable(value: str) -> bool:
    """Whether a database takes a text: JSON may hold NUL and halves of characters, which none does."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
