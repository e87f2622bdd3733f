"""SQL files as people name them on a command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def find(given: str, names: Iterable[str]) -> str:
    """The table that `given` names: segments/lapsed_buyers, with a dot, or the file's path.

    Raises LookupError with the likely names.
    """
    known = list(names)
    name = given.removeprefix("./").removeprefix("include/sql/").replace("/", ".")
    for suffix in ("", ".sql", ".csv", ".py"):
        if (found := name.removesuffix(suffix)) in known:
            return found
    close = [one.replace(".", "/") for one in difflib.get_close_matches(name, known)]
    hint = f"did you mean {', '.join(close)}?" if close else "name a file as in segments/lapsed_buyers"
    raise LookupError(f"there is no {given}; {hint}")
