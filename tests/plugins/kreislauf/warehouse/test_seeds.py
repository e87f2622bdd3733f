"""Lists in git as tables."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from kreislauf.warehouse.models import ModelError
from kreislauf.warehouse.seeds import load_seed

HEADER = "# What a message costs.\n# owner: crm\n# grain: channel, valid_from\n"
TYPES = "# types: valid_from date, cost decimal(18, 4)\n"


def _seed(folder: Path, text: str) -> Path:
    path = folder / "seeds" / "send_costs.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _rows(path: Path) -> list[tuple]:
    return duckdb.connect().execute(load_seed(path).compile("duckdb", datetime(2026, 1, 1))).fetchall()


def test_cells_have_the_types_of_their_columns(tmp_path):
    text = HEADER + TYPES + 'channel,valid_from,cost\nmail,2025-01-01,0.0004\n"s,m\'s {{x}}",2025-01-02,\n'
    (mail, sms) = _rows(_seed(tmp_path, text))
    assert [str(value) for value in mail] == ["mail", "2025-01-01", "0.0004"]
    assert sms[0] == "s,m's {{x}}"
    assert sms[2] is None


def test_a_list_may_be_empty(tmp_path):
    assert _rows(_seed(tmp_path, HEADER + TYPES + "channel,valid_from,cost\n")) == []


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("channel,cost\nmail,1\n", 1, "begins with"),
        ("# A list.\n# owner: crm\nchannel\n", 1, "grain"),
        (HEADER + "channel,cost\nmail,1\n", 1, "valid_from"),
        (HEADER + "channel,valid_from\nmail\n", 5, "1 cells"),
        (HEADER + TYPES + "channel,valid_from,cost\nmail,2025-01-01,cheap\n", 6, "'cheap' is no decimal"),
        (HEADER + TYPES + "channel,valid_from,cost\nmail,01.01.2025,1\n", 6, "is no date"),
        (HEADER + "channel,valid_from\nmail,x\nmail,x\n", 6, "occurs twice"),
        (HEADER + "channel,valid_from\nmail,\n", 5, "is empty"),
        (HEADER + "# types: costs date\nchannel,valid_from\n", 1, "'costs date'"),
        (HEADER + "Channel,valid_from\n", 4, "lower-case"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, line, word):
    with pytest.raises(ModelError, match=word) as caught:
        _rows(_seed(tmp_path, text))
    assert caught.value.line == line
