from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.store import Store
from sandbox.world import clock

# invoice, article, title, quantity, date, price, customer
LINES = [
    ("536365", "A", "Lantern", 6, "2010-12-01 08:26", 2.55, 17850),
    ("536365", "B", "Holder", 3, "2010-12-01 08:27", 1.00, 17850),
    ("536365", "A", "Lantern", 2, "2010-12-01 08:26", 2.55, 17850),  # the same article twice
    ("536370", "A", "Lantern", 4, "2010-12-05 10:00", 2.55, 17850),
    ("536380", "A", "Lantern", 1, "2010-12-06 10:00", 5.00, None),  # a guest
    ("536390", "B", None, -5, "2010-12-07 10:00", 0.00, None),  # stock taken out: not a cancellation
    ("536391", "C", "Pad", 1, "2010-12-07 10:00", 0.001, 13000),
    ("A563185", "Z", "Adjust bad debt", 1, "2010-12-08 10:00", -11062.06, None),
    ("C536400", "A", "Lantern", -1, "2010-12-09 09:00", 2.55, 17850),  # from the latest order that has it
    ("C536401", "B", "Holder", -2, "2010-12-09 09:30", 1.00, 17850),  # only the first order has it
    ("C536402", "D", "Discount", -1, "2010-12-09 10:00", 27.50, 17850),  # no order has it
    ("C536403", "A", "Lantern", -1, "2010-12-09 11:00", 5.00, None),  # a guest's
    ("C536300", "A", "Lantern", -3, "2010-12-01 08:00", 2.55, 12345),  # nothing bought before: carried
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("retail")
    write(home / "lines.parquet", LINES)
    store = Store(home)
    clock.begin(store, clock.Setting(retail=home / "lines.parquet"))
    with store.read() as db:
        yield db


def write(path: Path, lines: list[tuple]) -> None:
    names = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
    columns = dict(zip(names, zip(*lines, strict=True), strict=True))
    columns["InvoiceDate"] = [datetime.fromisoformat(text) for text in columns["InvoiceDate"]]
    table = pa.table(columns | {"Country": ["United Kingdom"] * len(lines)})
    pq.write_table(table.set_column(6, "CustomerID", pa.array(columns["CustomerID"], pa.int32())), path)


def one(db, query, *values):
    return db.execute(query, values).fetchone()[0]


def test_every_line_is_served_once(shop):
    assert one(shop, "select count(*) from shop_order_lines where listed") == 8
    assert one(shop, "select count(*) from shop_refund_lines") == 5
    assert one(shop, "select count(*) from shop_orders where tags = ''") == 6
    assert one(shop, "select count(*) from shop_refunds") == 5
    assert one(shop, "select count(*) from shop_customers") == 3


def test_revenue_is_that_of_the_file(shop):
    expected = sum(round(line[3] * line[5] * 1000) for line in LINES)
    sold = sum(
        round(row["quantity"] * float(row["unit_price"]) * 1000)
        for row in shop.execute("select * from shop_order_lines where listed")
    )
    lines = shop.execute("select * from shop_refund_lines")
    returned = sum(round(float(line["subtotal"]) * 1000) for line in lines)
    assert sold - returned == expected
    orders = shop.execute("select * from shop_orders")
    totals = sum(round((float(order["total"]) - float(order["refunded"])) * 1000) for order in orders)
    assert totals == expected


@pytest.mark.parametrize(
    ("cancellation", "order", "line_is_listed"),
    [
        ("C536400", "536370", 1),
        ("C536401", "536365", 1),
        ("C536402", "536370", 0),
        ("C536403", "536380", 1),
        ("C536300", "RC536300", 0),
    ],
)
def test_a_cancellation_is_a_refund_of_the_order_it_belongs_to(shop, cancellation, order, line_is_listed):
    row = shop.execute(
        "select o.name, l.listed, l.order_id = o.id as same_order, rl.quantity, rl.subtotal, r.amount"
        " from shop_refunds r join shop_orders o on o.id = r.order_id"
        " join shop_refund_lines rl on rl.refund_id = r.id join shop_order_lines l on l.id = rl.order_line_id"
        " where r.note = ?",
        (cancellation,),
    ).fetchone()
    assert row["name"] == order
    assert row["listed"] == line_is_listed
    assert row["same_order"]
    assert row["quantity"] > 0
    assert row["subtotal"] == row["amount"]


def test_an_order_shows_when_and_how_much_came_back(shop):
    order = shop.execute("select * from shop_orders where name = '536370'").fetchone()
    assert order["created_at"] == "2010-12-05T10:00:00Z"
    assert order["updated_at"] == "2010-12-09T10:00:00Z"
    assert order["refunded"] == "30.05"
    assert order["financial_status"] == "REFUNDED"
    carrier = shop.execute("select * from shop_orders where name = 'RC536300'").fetchone()
    assert carrier["tags"] == "cancellation-only"
    assert (
        one(shop, "select count(*) from shop_order_lines where listed and order_id = ?", carrier["id"]) == 0
    )


def test_odd_lines_are_served_as_they_stand(shop):
    assert one(shop, "select quantity from shop_order_lines where unit_price = '0.00'") == -5
    assert one(shop, "select count(*) from shop_order_lines where unit_price = '0.001'") == 1
    assert one(shop, "select total from shop_orders where name = 'A563185'") == "-11062.06"
    assert one(shop, "select title from shop_order_lines where quantity = -5") == "Holder"


def test_an_invoice_of_several_minutes_counts_from_its_first(shop):
    assert one(shop, "select created_at from shop_orders where name = '536365'") == "2010-12-01T08:26:00Z"


def test_guests_have_no_customer_and_no_address(shop):
    guests = shop.execute("select customer_id, email from shop_orders where name in ('536380', '536390')")
    assert [tuple(row) for row in guests] == [(None, None), (None, None)]


def test_nobody_acts_when_time_passes(tmp_path):
    write(tmp_path / "lines.parquet", LINES)
    store = Store(tmp_path / "home")
    clock.begin(store, clock.Setting(retail=tmp_path / "lines.parquet"))
    done = clock.advance(store, store.now().replace(year=2012))
    assert done["happened"] == {}
    assert json.loads(json.dumps(clock.report(store)))["counts"]["shop_orders"] == 7


def test_a_file_without_a_needed_column_is_refused(tmp_path):
    pq.write_table(pa.table({"InvoiceNo": ["1"]}), tmp_path / "lines.parquet")
    with pytest.raises(ValueError, match="lacks the columns Country, CustomerID"):
        clock.begin(Store(tmp_path / "home"), clock.Setting(retail=tmp_path / "lines.parquet"))
    assert not (tmp_path / "home" / "world.sqlite").exists()
