"""A statement taken apart at its CTEs, for engines that write a CTE out wherever it is used.

Spark and Sail do: five rounds that each read the one before and the same links become hundreds of
scans, of which the planner makes minutes. What is used more than once is better written once.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of views are ours

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sqlglot.dialects.spark import Spark
from sqlglot.tokens import Token, TokenType

WRITTEN_OUT = 24
"""A statement that would read more tables than this is taken apart; the others are faster whole."""


@dataclass(frozen=True)
class Cte:
    name: str
    body: str
    reads: tuple[str, ...]
    """Names right after FROM or JOIN, one for each time."""


def in_steps(statement: str, keep: Callable[[str, str], str]) -> str:
    """The statement in which CTEs that are used again and again are read from where `keep` put them.

    `keep(name, select)` stores the rows of a SELECT and returns a name to read them by. A statement
    that reads few tables stays as it is.
    """
    ctes, rest = _parts(statement)
    uses = Counter(name for cte in ctes for name in cte.reads)
    uses.update(_reads(list(Spark().tokenize(rest))))
    if _scans(ctes, rest) <= WRITTEN_OUT:
        return statement
    ready: list[Cte] = []
    scans: dict[str, int] = {}
    for cte in ctes:
        scans[cte.name] = sum(scans.get(name, 1) for name in cte.reads)
        if uses[cte.name] > 1 and scans[cte.name] > 1:
            place = keep(cte.name, _joined(ready, cte.body))
            cte = Cte(cte.name, f"SELECT * FROM {place}", ())
            scans[cte.name] = 1
        ready.append(cte)
    return _joined(ready, rest)


def _joined(ctes: list[Cte], rest: str) -> str:
    if not ctes:
        return rest
    return f"WITH {', '.join(f'{cte.name} AS ({cte.body})' for cte in ctes)} {rest}"


def _scans(ctes: list[Cte], rest: str) -> int:
    """How many tables the statement reads once every CTE stands where it is used."""
    scans: dict[str, int] = {}
    for cte in ctes:
        scans[cte.name] = sum(scans.get(name, 1) for name in cte.reads)
    return sum(scans.get(name, 1) for name in _reads(list(Spark().tokenize(rest))))


def _parts(statement: str) -> tuple[list[Cte], str]:
    """The CTEs of the outermost WITH, and what follows them."""
    tokens = list(Spark().tokenize(statement))
    if not tokens or tokens[0].token_type != TokenType.WITH:
        return [], statement
    ctes, at = [], 1
    while True:
        opens = at + 2  # name, AS, (
        closes = _closing(tokens, opens)
        body = statement[tokens[opens].end + 1 : tokens[closes].start]
        ctes.append(Cte(tokens[at].text, body, tuple(_reads(tokens[opens:closes]))))
        if tokens[closes + 1].token_type != TokenType.COMMA:
            return ctes, statement[tokens[closes + 1].start :]
        at = closes + 2


def _closing(tokens: list[Token], opens: int) -> int:
    depth = 0
    for i in range(opens, len(tokens)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[i].token_type, 0)
        if depth == 0:
            return i
    raise ValueError("a parenthesis is not closed")


def _reads(tokens: list[Token]) -> Iterator[str]:
    for before, token in pairwise(tokens):
        if before.token_type in (TokenType.FROM, TokenType.JOIN) and token.token_type != TokenType.L_PAREN:
            yield token.text
