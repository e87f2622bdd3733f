"""Tables made from all files of a layer, so that adding a file is enough to be counted everywhere.

`<layer>.members`: the rows of all its files, with the file's name as `name`.
`<layer>.catalogue`: one row a file: `name`, `sentence`, `owner`.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of files, which are checked

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kreislauf.warehouse.funnels import STAY
from kreislauf.warehouse.model import Model, ModelError, values_sql

MEMBER_COLUMNS: dict[str, tuple[str, ...]] = {
    "funnels": STAY,
    "segments": ("contact_id",),
    "cleanup": ("contact_id", "email", "reason", "evidence"),
}
"""The layers that have these tables, and what their files have in common."""


def generated_models(sql_dir: Path, models: Mapping[str, Model]) -> dict[str, Model]:
    """Both tables of each such layer that has files.

    Raises:
        ModelError: a file has the name of one of them, or another grain than its neighbours.
    """
    found = {}
    for layer, columns in MEMBER_COLUMNS.items():
        files = [model for model in models.values() if model.layer == layer]
        if not files:
            continue
        for file in files:
            if file.grain != files[0].grain:
                raise ModelError(
                    file.path,
                    None,
                    f"its grain is {', '.join(file.grain)}; that of {files[0].name} and all others of "
                    f"{layer} is {', '.join(files[0].grain)}",
                )
        for model in (_members(sql_dir / layer, files, columns), _catalogue(sql_dir / layer, files)):
            if model.name in models:
                raise ModelError(models[model.name].path, None, f"{model.name} is made from all {layer}")
            found[model.name] = model
    return found


def _members(folder: Path, files: list[Model], columns: tuple[str, ...]) -> Model:
    selects = [
        f"select '{_table(file)}' as name, {', '.join(columns)} from {file.name}"
        for file in sorted(files, key=lambda file: file.name)
    ]
    return Model(
        name=f"{folder.name}.members",
        path=folder,
        sentence=f"The rows of all {folder.name}, each with the name of its file.",
        owner="data",
        grain=("name", *files[0].grain),
        sql="\nunion all\n".join(selects),
        depends_on=tuple(sorted(file.name for file in files)),
    )


def _catalogue(folder: Path, files: list[Model]) -> Model:
    rows = [(_table(file), file.sentence, file.owner) for file in sorted(files, key=lambda file: file.name)]
    return Model(
        name=f"{folder.name}.catalogue",
        path=folder,
        sentence=f"All {folder.name} by name, each with what it is, also those without rows.",
        owner="data",
        grain=("name",),
        sql=values_sql({"name": "varchar", "sentence": "varchar", "owner": "varchar"}, rows),
    )


def _table(model: Model) -> str:
    return model.name.partition(".")[2]
