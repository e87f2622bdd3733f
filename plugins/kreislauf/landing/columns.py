"""The SQL that turns JSON documents into typed columns, made from the declarations of a stream.

Table and column names and paths come from streams.py, never from data.
"""
# ruff: file-ignore[hardcoded-sql-expression]

from __future__ import annotations

from kreislauf.sources.streams import Column, Stream, Table

PARENT = "$parent."


def extraction_sql(name: str, table: Table) -> str:
    """Create the temporary table `name` from `records`: the typed columns, and what is wrong with each row.

    Its columns: `_line`, `_child` for a child table, the declared ones, and `_fault`: the reasons
    joined, empty for a good row.
    """
    own = [path for path in _column_paths(table) if not path.startswith(PARENT)]
    from_parent = [path for path in _column_paths(table) if path.startswith(PARENT)]
    values, faults = [], []
    for column_name, column in table.columns.items():
        prefix, paths = ("p", from_parent) if column.path.startswith(PARENT) else ("o", own)
        place = paths.index(column.path) + 1
        text, kind = f"{prefix}_text[{place}]", f"{prefix}_kind[{place}]"
        values.append(f'{_cast(column.type, text)} as "{column_name}"')
        faults.append(_fault(name, column_name, column, text, kind))
    child = "_child, " if table.explode else ""
    return f"""
        create or replace temp table "{name}" as
        select _line, {child}{", ".join(values)}, concat_ws('; ', {", ".join(faults)}) as _fault
        from ({_source(table, own, from_parent)})
    """


def fault_sql(stream: Stream) -> str:
    """Create the temporary table `faults` (_line, position, table_name, reason) from all tables."""
    selects = [
        "select _line, 0 as position, "
        f"{_literal(next(iter(stream.tables)))} as table_name, damage as reason from records "
        "where damage is not null"
    ]
    for position, (name, table) in enumerate(stream.tables.items(), start=1):
        selects.append(
            f'select _line, {position}, {_literal(name)}, _fault from "{name}" '
            "join records using (_line) where _fault <> '' and damage is null"
        )
        if table.explode:
            kind = f"json_type(document, {_literal(table.explode)})"
            selects.append(
                f"select _line, {position}, {_literal(name)}, "
                f"{_literal(f'{name}: {table.explode} is not a list')} from records "
                f"where coalesce({kind}, 'NULL') not in ('NULL', 'ARRAY')"
            )
    return f"create or replace temp table faults as {' union all '.join(selects)}"


def presence_sql(paths: list[str]) -> str:
    """One row, a boolean a path: does some record have it, or has none an object to hold it?"""
    tests = [
        f"coalesce(bool_or(kind[{place}] is not null), false) "
        f"or not coalesce(bool_or(holder[{place}] = 'OBJECT'), false)"
        for place in range(1, len(paths) + 1)
    ]
    holders = [path.rpartition(".")[0] for path in paths]
    return f"""
        select {", ".join(tests)}
        from (
            select
                json_type(document, {_list(paths)}) as kind,
                json_type(document, {_list(holders)}) as holder
            from records
            where damage is null
        )
    """


def known_fields(stream: Stream) -> frozenset[str]:
    """The field names, as `field_name` writes them, that are declared or known to be left out."""
    names = set(stream.known)
    for table in stream.tables.values():
        paths = [table.explode] if table.explode else []
        paths += [column.path for column in table.columns.values()]
        for path in paths:
            if path.startswith(PARENT):
                names.add(path.removeprefix(PARENT).split(".")[0])
            elif not table.explode or path == table.explode:
                names.add(path.split(".")[1])
                names.add(field_name(path))
    return frozenset(names)


def field_name(path: str) -> str:
    """A JSONPath as people write a field: `$.customer.id` -> `customer.id`."""
    return path.removeprefix("$.")


def _column_paths(table: Table) -> list[str]:
    return list(dict.fromkeys(column.path for column in table.columns.values()))


def _source(table: Table, own: list[str], from_parent: list[str]) -> str:
    """The rows a table is made of: the texts and JSON kinds found at its paths."""
    if table.explode is None:
        return f"select _line, {_read('document', own, 'o')} from records"
    parent_paths = [f"$.{path.removeprefix(PARENT)}" for path in from_parent]
    parent = f", {_read('document', parent_paths, 'p')}" if from_parent else ""
    passed_on = ", p_text, p_kind" if from_parent else ""
    return f"""
        select _line, _child{passed_on}, {_read("child", own, "o")}
        from (
            select _line{passed_on}, unnest(children) as child, generate_subscripts(children, 1) as _child
            from (
                select _line, json_extract(document, {_literal(f"{table.explode}[*]")}) as children{parent}
                from records
            )
        )
    """


def _read(document: str, paths: list[str], prefix: str) -> str:
    return (
        f"json_extract_string({document}, {_list(paths)}) as {prefix}_text, "
        f"json_type({document}, {_list(paths)}) as {prefix}_kind"
    )


def _cast(wanted: str, text: str) -> str:
    """The value in the column's type; NULL where it is missing or does not fit.

    DuckDB's own casts are too kind for drift: they round '12.7' to a whole number, take 'yes' for
    true and read 'epoch' as a moment. And TIMESTAMP would drop an offset, so it is read with zone.
    """
    match wanted:
        case "VARCHAR":
            return text
        case "BIGINT":
            return f"case when {_matches(text, '[+-]?[0-9]+([.]0+)?')} then try_cast({text} as bigint) end"
        case "DECIMAL(18,2)":
            number = "[+-]?[0-9]*[.]?[0-9]+([eE][+-]?[0-9]+)?"
            return f"case when {_matches(text, number)} then try_cast({text} as decimal(18,2)) end"
        case "BOOLEAN":
            return f"case lower({text}) when 'true' then true when 'false' then false end"
        case "TIMESTAMP":
            moment = f"try_cast({text} as timestamptz) at time zone 'UTC'"
            return f"case when {text} like '____-__-__%' then {moment} end"
        case "DATE":
            return f"case when {text} like '____-__-__' then try_cast({text} as date) end"
        case "EPOCH":
            return (
                f"case when {_matches(text, '[0-9]{1,11}([.][0-9]+)?')} "
                f"then make_timestamp(cast(cast({text} as decimal(38,6)) * 1000000 as bigint)) end"
            )
        case "MILLIS":
            millis = f"make_timestamp(cast({text} as bigint) * 1000)"
            return f"case when {_matches(text, '[0-9]{1,14}')} then {millis} end"
        case "JSON_LIST":
            elements = f"json_extract_string(try_cast({text} as json), '$[*]')"
            return f"nullif(array_to_string({elements}, ';'), '')"
    raise ValueError(f"{wanted!r} is not a column type; see kreislauf.sources.streams.Column")


def _fault(table: str, name: str, column: Column, text: str, kind: str) -> str:
    """A reason if the value does not fit the column, or is missing and required; else NULL."""
    wanted = {"EPOCH": "moment in seconds", "MILLIS": "moment in milliseconds", "JSON_LIST": "list"}
    where = f"{table}.{name} ({column.path})"
    does_not_fit = _literal(f"{where}: not a {wanted.get(column.type, column.type)}")
    # An empty string is what some sources send for "no value".
    is_missing = f"(coalesce({kind}, 'NULL') = 'NULL' or {text} = '')"
    match column.type:
        case "VARCHAR":
            # PostgreSQL cannot store a NUL character, so no engine gets one.
            is_wrong = f"({kind} in ('OBJECT', 'ARRAY') or contains({text}, chr(0)))"
        case "JSON_LIST":
            is_wrong = f"{kind} <> 'ARRAY'"
        case _:
            is_wrong = f'"{name}" is null'
    missing = f"when {is_missing} then {_literal(f'{where}: missing') if column.required else 'null'} "
    return f"case {missing}when {is_wrong} then {does_not_fit} end"


def _list(paths: list[str]) -> str:
    return "[" + ", ".join(_literal(path) for path in paths) + "]"


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, '{pattern}')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
