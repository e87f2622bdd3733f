"""The warehouse for more than one machine: Spark Connect over the Parquet files of a folder.

The folder has to be at the same path on this machine and on all of Spark's. Apache Spark 4 and Sail
both answer; what differs between them is met here. Views are of this process's session only, so
that builds and readers do not meet.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import re
import shutil
import sys
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot.dialects.spark import Spark
from sqlglot.tokens import Token, TokenType

from kreislauf.warehouse.dialect import compile_sql
from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import WarehouseError
from kreislauf.warehouse.engines.folder import FolderEngine, Writing, sync
from kreislauf.warehouse.engines.spark_steps import in_steps
from kreislauf.warehouse.models import LAYERS
from kreislauf.warehouse.raw import Columns, raw_columns

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession
    from pyspark.sql.types import StructType

SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.shuffle.partitions": "8",
}
"""Of every session; the connection's extra `settings` are added and win."""

_TYPES = {"VARCHAR": "STRING", "TIMESTAMP": "TIMESTAMP_NTZ", "HUGEINT": "DECIMAL(38, 0)", "INTEGER": "INT"}
_BATCH_ROWS = 50_000
_RETRIES = 6  # about a minute; the client's own 15 are ten


class SparkEngine(FolderEngine):
    """A folder of builds and the `sc://` URL of a Spark Connect server. `settings` are Spark's."""

    dialect = "spark"

    def __init__(self, folder: Path, url: str, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(folder)
        self._url = url
        self._settings = SETTINGS | {name: str(value) for name, value in (settings or {}).items()}
        self._views: set[str] = set()

    @cached_property
    def version(self) -> str:
        return f"spark {self._session.version}"

    def close(self) -> None:
        """End the session. The next call begins another."""
        if "_session" in self.__dict__:
            self._session.stop()
            del self._session
            self._views.clear()

    # ------------------------------------------------------------------------------- writing

    def _derive(self, writing: Writing) -> dict[str, Any]:
        folder = writing.new_part()
        rows = self._write(writing.build_id, writing.select, folder)
        written = {"rows": rows, "fingerprint": writing.mark, "content": writing.mark, "parts": [folder.name]}
        if writing.before is None or rows != writing.before["rows"]:
            return written
        before = self._files(writing.published_id, writing.table, writing.before)
        if self._digest(sorted(folder.glob("*.parquet"))) != self._digest(before):
            return written
        return self._take_over(writing)

    def _write(self, build_id: str, select: str, folder: Path) -> int:
        """Write the rows of a compiled SELECT as Parquet files into a new folder; their number."""
        from pyarrow import parquet

        kept: list[Path] = []

        def keep(name: str, part: str) -> str:
            kept.append(folder.with_name(f"{folder.name}-{name}"))
            self._save(self._session.sql(part), kept[-1])
            view = f"{name}_{folder.name}"
            self._read(sorted(kept[-1].glob("*.parquet"))).createOrReplaceTempView(view)
            return view

        try:
            statement = in_steps(self._located(build_id, select), keep)
            self._save(self._session.sql(statement), folder)
        finally:
            for place in kept:
                shutil.rmtree(place, ignore_errors=True)
        files = sorted(folder.glob("*.parquet"))
        for file in files:
            sync(file)
        return sum(parquet.read_metadata(file).num_rows for file in files)

    def _save(self, frame: DataFrame, folder: Path) -> None:
        """The rows as Parquet files, and nothing else, in a new folder."""
        from pyarrow import parquet

        frame.write.parquet(f"file://{folder}", compression="zstd")
        for file in folder.iterdir() if folder.exists() else ():
            if file.suffix != ".parquet" or file.name.startswith("."):
                file.unlink()  # marks and checksums of Hadoop's; the table's JSON is the commit here
        if not any(folder.glob("*.parquet")):  # Sail writes no file for no rows
            folder.mkdir(exist_ok=True)
            parquet.write_table(frame.limit(0).toArrow(), folder / "0.parquet")

    def _digest(self, files: list[Path]) -> str:
        """Of the rows in Parquet files, whatever their order: equal for equal rows."""
        frame = self._read(files)
        # A hash passes over NULL, so that it alone would not tell (NULL, 1) from (1, NULL).
        parts = [part for name in frame.columns for part in (f"`{name}`", f"`{name}` is null")]
        sums = [
            f"sum(cast(xxhash64({', '.join(order)}) as decimal(38, 0)))" for order in (parts, parts[::-1])
        ]
        return repr(frame.selectExpr("count(*)", *sums).toArrow().to_pylist())

    def _reason(self, error: Exception) -> str:
        from pyspark.errors import AnalysisException, ParseException, PySparkException

        if isinstance(error, WarehouseError):
            return str(error)
        if not isinstance(error, PySparkException):
            raise error
        text = str(error).strip().partition("\n")[0]
        if isinstance(error, AnalysisException | ParseException):
            return text  # about the statement
        return re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\d+", "…", text)

    # ------------------------------------------------------------------------------- reading

    def arrow(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> pyarrow.Table:
        build_id = self._resolve(build_id)
        try:
            return self._bound(sql, params, build_id).toArrow()
        except Exception as error:
            raise WarehouseError(f"query on build {build_id}: {self._reason(error)}") from None

    def batches(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow
        from pyspark.sql.pandas.types import to_arrow_schema

        build_id = self._resolve(build_id)
        try:
            frame = self._bound(sql, params, build_id)
            schema = to_arrow_schema(frame.schema, timezone="UTC")
            # The client's own iterators give rows one by one, or all at once.
            client, plan = self._session.client, frame._plan
            for part in client.to_table_as_iterator(plan.to_proto(client), plan.observations):
                if isinstance(part, pyarrow.Table):
                    yield from part.cast(schema).to_batches(max_chunksize=_BATCH_ROWS)
        except Exception as error:
            raise WarehouseError(f"query on build {build_id}: {self._reason(error)}") from None

    def _bound(self, sql: str, params: Mapping[str, Any] | None, build_id: str) -> DataFrame:
        compiled, values = base.bind(sql, params, self.dialect)
        # As the client sends them moments are of its own time zone; as text they are what they say.
        texts = {name: value for name, value in values.items() if isinstance(value, date)}
        types = {name: "TIMESTAMP_NTZ" if isinstance(v, datetime) else "DATE" for name, v in texts.items()}
        values |= {name: str(value) for name, value in texts.items()}
        return self._session.sql(self._located(build_id, compiled, types), args=values or None)

    def _located(self, build_id: str, statement: str, casts: Mapping[str, str] | None = None) -> str:
        """The statement with the session's views in place of `layer.table`, and parameters cast."""
        tokens = list(Spark().tokenize(statement))
        pieces, at = [], 0
        for i, token in enumerate(tokens):
            if _names_table(tokens, i):
                table = f"{token.text}.{tokens[i + 2].text}".lower()
                alias = tokens[i + 3].token_type if i + 3 < len(tokens) else None
                named = alias in (TokenType.ALIAS, TokenType.VAR, TokenType.IDENTIFIER)
                new = self._view(build_id, table) + ("" if named else f" AS {tokens[i + 2].text}")
                end = tokens[i + 2].end + 1
            elif token.token_type == TokenType.COLON and tokens[i + 1].text in (casts or {}):
                new = f"CAST(:{tokens[i + 1].text} AS {casts[tokens[i + 1].text]})"
                end = tokens[i + 1].end + 1
            else:
                continue
            pieces += [statement[at : token.start], new]
            at = end
        return "".join([*pieces, statement[at:]])

    def _view(self, build_id: str, table: str) -> str:
        """The session's view on a table of a build; made once, since a table's files never change."""
        found = self._table(build_id, table)
        if found is None:
            self.build(build_id)
            raise WarehouseError(f"build {build_id} has no table {table} (yet)")
        layer, _, name = table.partition(".")
        files = self._files(build_id, table, found)
        where = found.get("where")
        mark = hashlib.sha256("\n".join([*map(str, files), where or ""]).encode()).hexdigest()[:16]
        view = f"{layer}_{name}_{mark}"
        if view not in self._views:
            frame = self._read(files, raw_columns()[name] if layer == "raw" else None)
            if where:
                frame = frame.where(compile_sql(where, self.dialect))
            frame.createOrReplaceTempView(view)
            self._views.add(view)
        return view

    def _read(self, files: list[Path], columns: Columns | None = None) -> DataFrame:
        """Rows of Parquet files: with the declared columns, NULL where a file lacks one, or with their own.

        The types are told, since Spark would start a job to find them out.
        """
        if columns is None:
            schema = _own_columns(files[0])
        else:
            schema = ", ".join(f"`{name}` {_TYPES.get(type, type)}" for name, type in columns.items())
        if not files:
            return self._session.createDataFrame([], schema)
        return self._session.read.schema(schema).parquet(*(f"file://{file}" for file in files))

    @cached_property
    def _session(self) -> SparkSession:
        with warnings.catch_warnings(), _told_apart_from_a_doctest():
            warnings.simplefilter("ignore", FutureWarning)  # about pandas, which is not used
            from pyspark.errors import PySparkException
            from pyspark.sql.connect.client.retries import DefaultPolicy
            from pyspark.sql.connect.session import SparkSession

        # They log what the server answers, with values of rows.
        for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
            logging.getLogger(name).disabled = True
        session = SparkSession.builder.remote(self._url).create()
        session.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
        try:
            for name, value in self._settings.items():
                session.conf.set(name, value)
        except PySparkException as error:
            where = self._url.partition("/;")[0]  # behind it may stand a token
            raise WarehouseError(
                f"Spark Connect at {where} does not answer: {self._reason(error)}; "
                "is the server of the connection `warehouse` running?"
            ) from None
        atexit.register(session.stop)
        return session


@contextmanager
def _told_apart_from_a_doctest() -> Generator[None]:
    """While it is imported, pyspark takes a process without a main file (`python -c`, workers of
    pytest-xdist) for one of its own doctests, looks for a Spark installation, and ends the process.
    """
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "-c"
    try:
        yield
    finally:
        del main.__file__


def _own_columns(file: Path) -> StructType:
    import pyarrow
    from pyarrow import parquet
    from pyspark.sql.pandas.types import from_arrow_schema

    # Sail notes its texts as views, which is a matter of memory only.
    fields = [
        field.with_type(pyarrow.string()) if field.type == pyarrow.string_view() else field
        for field in parquet.read_schema(file)
    ]
    return from_arrow_schema(pyarrow.schema(fields), prefer_timestamp_ntz=True)


def _names_table(tokens: list[Token], i: int) -> bool:
    """Whether a `layer.table` begins at the token: right after FROM or JOIN, as the models write it."""
    if i == 0 or i + 2 >= len(tokens) or tokens[i - 1].token_type not in (TokenType.FROM, TokenType.JOIN):
        return False
    return tokens[i].text.lower() in LAYERS and tokens[i + 1].token_type == TokenType.DOT
