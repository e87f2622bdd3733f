"""Shopify's search syntax (`updated_at:>='…' AND status:open`) as an SQL condition.

Understood: `field:value`, `field:'quoted value'`, the comparators `>= <= > <`, `AND`, `OR`, `NOT`
or a leading `-`, and parentheses; terms side by side are joined with AND. As at Shopify, a filter
nobody knows is ignored and reported in `extensions.search`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.store import iso, parse

TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])
    |(?P<word>AND|OR|NOT)(?=[\s()]|$)
    |(?P<minus>-)?(?P<field>\w+):(?P<op>>=|<=|>|<|=)?(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^\s()]+))
    |(?P<text>[^\s()]+))""",
    re.VERBOSE,
)

GID = re.compile(r"^gid://shopify/\w+/(\d+)$")


@dataclass
class Condition:
    """An SQL condition with its bound values, and the filters that were ignored."""

    sql: str = "1"
    values: list[Any] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


class SearchError(ValueError):
    """A query text that cannot be read."""


def condition(query: str | None, columns: dict[str, str]) -> Condition:
    """The condition for a query text; `columns` maps filter names to SQL columns.

    Columns that end in `_at` are compared as moments. Raises SearchError for unbalanced
    parentheses or a moment that is none.
    """
    result = Condition()
    if query and query.strip():
        parser = _Parser(query, columns, result)
        result.sql = parser.either()
        if parser.peek() is not None:
            raise SearchError(f"Unexpected ')' in the query {query!r}.")
    return result


class _Parser:
    def __init__(self, query: str, columns: dict[str, str], result: Condition) -> None:
        self.query, self.columns, self.result = query, columns, result
        self.tokens = [match for match in TOKEN.finditer(query.rstrip()) if match.group().strip()]
        self.at = 0

    def peek(self) -> re.Match[str] | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def either(self) -> str:
        parts = [self.both()]
        while (token := self.peek()) and token["word"] == "OR":
            self.at += 1
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def both(self) -> str:
        parts = [self.term()]
        while (token := self.peek()) and token["word"] != "OR" and token["paren"] != ")":
            if token["word"] == "AND":
                self.at += 1
            parts.append(self.term())
        return " and ".join(parts)

    def term(self) -> str:
        token = self.peek()
        if token is None or token["paren"] == ")":
            raise SearchError(f"The query {self.query!r} ends too early.")
        self.at += 1
        if token["word"] == "NOT":
            return f"not ({self.term()})"
        if token["paren"] == "(":
            inner = self.either()
            closing = self.peek()
            if closing is None or closing["paren"] != ")":
                raise SearchError(f"A parenthesis is not closed in the query {self.query!r}.")
            self.at += 1
            return f"({inner})"
        return self.filter(token)

    def filter(self, token: re.Match[str]) -> str:
        name = token["field"]
        if name is None or name not in self.columns:
            self.result.ignored.append(name or token["text"])
            return "1"
        column = self.columns[name]
        quoted = token["single"] if token["single"] is not None else token["double"]
        value: Any = quoted if quoted is not None else token["bare"]
        if column.endswith("_at"):
            try:
                value = iso(parse(value))
            except ValueError as error:
                raise SearchError(f"{value!r} is no date, in the filter {name}.") from error
        elif column.endswith("id"):
            match = GID.match(value)
            value = int(match[1]) if match else int(value) if value.isdigit() else -1
        elif column == "test":
            value = int(value == "true")
        else:
            column = f"lower({column})"
            value = value.lower()
        self.result.values.append(value)
        sql = f"{column} {token['op'] or '='} ?"
        return f"not ({sql})" if token["minus"] else sql
