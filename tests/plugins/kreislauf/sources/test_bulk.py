from __future__ import annotations

import json
import tracemalloc

import pytest

from kreislauf.sources.bulk import nested
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.streams import SHOP_CUSTOMERS, SHOP_ORDERS

ORDER_1, ORDER_2 = {"id": "o1", "name": "#1"}, {"id": "o2", "name": "#2"}
LINES = [ORDER_1, {"id": "l1", "__parentId": "o1"}, {"id": "l2", "__parentId": "o1"}, ORDER_2]


@pytest.fixture
def bulk_file(tmp_path):
    def write(lines, cut: int = 0):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        path = tmp_path / "bulk.jsonl"
        path.write_text(text[: len(text) - cut])
        return path

    return write


def test_children_are_put_where_the_paged_query_has_them(bulk_file):
    found = [json.loads(line) for line in nested(bulk_file(LINES), SHOP_ORDERS, 4, 2)]
    assert found == [
        ORDER_1 | {"lineItems": {"nodes": [{"id": "l1"}, {"id": "l2"}]}},
        ORDER_2 | {"lineItems": {"nodes": []}},
    ]


def test_a_plain_list_comes_with_its_record(bulk_file):
    """A connection's children are lines of their own; an order's parcels stand in the order's line."""
    order = {"id": "o1", "fulfillments": [{"id": "f1", "deliveredAt": "2026-01-03T10:00:00Z"}]}
    [found] = [json.loads(line) for line in nested(bulk_file([order]), SHOP_ORDERS, 1, 1)]
    assert found == order | {"lineItems": {"nodes": []}}


def test_records_without_children(bulk_file):
    assert list(nested(bulk_file([{"id": "c1"}]), SHOP_CUSTOMERS, 1, 1)) == [b'{"id":"c1"}']


@pytest.mark.parametrize("cut", [1 + len(json.dumps(ORDER_2)), 5])
def test_a_file_that_is_cut_off_is_noticed(bulk_file, cut):
    with pytest.raises(BadAnswer, match=r"shop orders.*(not complete|cut off)"):
        list(nested(bulk_file(LINES, cut), SHOP_ORDERS, 4, 2))


def test_a_child_away_from_its_parent_is_noticed(bulk_file):
    with pytest.raises(BadAnswer, match="line 3: a child away from its parent"):
        list(nested(bulk_file([ORDER_1, ORDER_2, {"id": "l1", "__parentId": "o1"}]), SHOP_ORDERS, 3, 2))


def test_memory_does_not_grow_with_the_file(bulk_file):
    def orders(number):
        for n in range(number):
            yield {"id": f"o{n}", "name": "x" * 200}
            yield from ({"id": f"l{n}-{k}", "__parentId": f"o{n}"} for k in range(3))

    path = bulk_file(orders(5_000))
    tracemalloc.start()
    count = sum(1 for _ in nested(path, SHOP_ORDERS, 20_000, 5_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 5_000
    assert peak < 500_000 < path.stat().st_size
