from kreislauf.warehouse.raw import Columns


def column_definitions(columns: Columns, collation: str = "C") -> str:
    """The column list of CREATE TABLE."""
    return ", ".join(
        f'"{name}" '
        + (
            f'TEXT COLLATE "{collation}"'
            if type == "VARCHAR"
            else "DOUBLE PRECISION"
            if type == "DOUBLE"
            else type
        )
        for name, type in columns.items()
    )
