"""Adding a delay to a moment inside the ledger's database, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from kreislauf.ledger.schema import Moment


class _PlusSeconds(GenericFunction[Any]):
    type = Moment()
    inherit_cache = True


def plus_seconds(moment: ColumnElement[Any], delay: timedelta | ColumnElement[int]) -> ColumnElement[Any]:
    """SQL: `moment` and whole seconds of `delay`. On SQLite exact to the millisecond."""
    if isinstance(delay, timedelta):
        delay = literal(int(delay.total_seconds()), Integer)
    return _PlusSeconds(moment, delay)


@compiles(_PlusSeconds, "sqlite")
def _sqlite(element: Any, compiler: Any, **options: Any) -> str:
    moment, seconds = (compiler.process(clause, **options) for clause in element.clauses)
    # Moments are text with six digits of a second there; strftime gives three.
    return f"strftime('%Y-%m-%d %H:%M:%f', {moment}, {seconds} || ' seconds') || '000'"


@compiles(_PlusSeconds, "postgresql")
def _postgresql(element: Any, compiler: Any, **options: Any) -> str:
    moment, seconds = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({moment} + make_interval(secs => {seconds}))"
