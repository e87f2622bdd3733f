"""Shopify's schema, and GraphQL texts checked against it."""

from __future__ import annotations

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_client_schema, parse, validate

API_VERSION = "2026-10"
SCHEMA_FILE = Path(__file__).parent / "schema" / f"admin_{API_VERSION}.json.gz"


@functools.cache
def schema() -> GraphQLSchema:
    """Shopify's schema. `assume_valid`, for graphql-core objects to six of its deprecations."""
    content = json.loads(gzip.decompress(SCHEMA_FILE.read_bytes()))
    return build_client_schema(content["data"], assume_valid=True)


@functools.lru_cache(maxsize=256)
def document(text: str) -> tuple[DocumentNode | None, tuple[dict[str, Any], ...]]:
    """A parsed and validated document, or the errors as Shopify words them."""
    try:
        parsed = parse(text)
    except GraphQLError as error:
        return None, (error_entry(error),)
    errors = validate(schema(), parsed)
    return (None, tuple(error_entry(error) for error in errors)) if errors else (parsed, ())


UNKNOWN_FIELD = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")


def error_entry(error: GraphQLError) -> dict[str, Any]:
    """A validation error in the shape and, for the commonest one, the words of Shopify."""
    entry: dict[str, Any] = {"message": error.message, **(error.formatted)}
    unknown = UNKNOWN_FIELD.match(error.message)
    if unknown:
        entry["message"] = f"Field '{unknown[1]}' doesn't exist on type '{unknown[2]}'"
        entry["extensions"] = {"code": "undefinedField", "typeName": unknown[2], "fieldName": unknown[1]}
    return entry
