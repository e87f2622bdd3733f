"""`make segment name=…` and `make flow name=…`: files to start from, which pass all checks as they are.

Nothing that exists is overwritten.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from scripts import docs

REPOSITORY = Path(__file__).resolve().parents[1]

SEGMENT = {
    "include/sql/segments/{name}.sql": """\
-- People who ordered within the last 90 days. Say in a sentence who belongs to {name}.
-- owner: crm
-- grain: contact_id
{{% set within = "90 days" %}}
with orders as (
    select * from core.orders
    where is_valid and contact_id is not null
)

select distinct contact_id
from orders
where ordered_at >= {{{{ as_of }}}} - interval '{{{{ within }}}}'
""",
    "tests/sql/segments/{name}.yaml": """\
- name: an order within the last 90 days
  as_of: 2026-04-01T00:00:00Z
  given:
    core.orders:
      # Exactly 90 days ago: still in.
      - {{order_id: o1, contact_id: c1, is_valid: true, ordered_at: 2026-01-01T00:00:00Z}}
      - {{order_id: o2, contact_id: c2, is_valid: true, ordered_at: 2025-12-31T23:59:59Z}}
      # Test and cancelled orders are not valid; a guest is nobody we know.
      - {{order_id: o3, contact_id: c3, is_valid: false, ordered_at: 2026-03-01T00:00:00Z}}
      - {{order_id: o4, is_valid: true, ordered_at: 2026-03-01T00:00:00Z}}
  expect:
    - {{contact_id: c1}}
""",
}

FLOW = {
    "include/sql/triggers/{name}.sql": """\
-- A person placed an order. Say here in a sentence what starts the flow {name}.
-- owner: crm
-- grain: contact_id, occurrence_id
with orders as (
    select * from core.orders
    where is_valid and contact_id is not null
)

-- Further columns are merge fields: templates may use them.
select
    contact_id,
    order_id as occurrence_id,
    ordered_at as occurred_at
from orders
""",
    "tests/sql/triggers/{name}.yaml": """\
- name: each valid order of a known person starts it once
  given:
    core.orders:
      - {{order_id: o1, contact_id: c1, is_valid: true, ordered_at: 2025-12-01T10:00:00Z}}
      - {{order_id: o2, contact_id: c1, is_valid: true, ordered_at: 2025-12-02T10:00:00Z}}
      # Test and cancelled orders are not valid; a guest is nobody we know.
      - {{order_id: o3, contact_id: c2, is_valid: false, ordered_at: 2025-12-02T10:00:00Z}}
      - {{order_id: o4, is_valid: true, ordered_at: 2025-12-02T10:00:00Z}}
  expect:
    - {{contact_id: c1, occurrence_id: o1, occurred_at: 2025-12-01T10:00:00Z}}
    - {{contact_id: c1, occurrence_id: o2, occurred_at: 2025-12-02T10:00:00Z}}
""",
    "include/templates/{name}/first.de.mjml": """\
---
subject: "Vielen Dank für Ihre Bestellung"
preheader: "Schön, dass Sie bei uns waren."
---
{{% extends "_layout.mjml" %}}
{{% block content %}}
<mj-section>
  <mj-column>
    <mj-text mj-class="headline" css-class="headline">Vielen Dank</mj-text>
    <mj-text>{{{{ greeting }}}},</mj-text>
    <mj-text>schön, dass Sie bei uns bestellt haben.</mj-text>
    <mj-button name="cta" css-class="wide" href="{{{{ sender.shop_url }}}}">Zum Shop</mj-button>
  </mj-column>
</mj-section>
{{% endblock %}}
{{% block because %}}Sie erhalten diese E&#8209;Mail, weil Sie uns abonniert haben.<br />{{% endblock %}}
""",
    "include/templates/{name}/first.en.mjml": """\
---
subject: "Thank you for your order"
preheader: "It was good to have you."
---
{{% extends "_layout.mjml" %}}
{{% block content %}}
<mj-section>
  <mj-column>
    <mj-text mj-class="headline" css-class="headline">Thank you</mj-text>
    <mj-text>{{{{ greeting }}}},</mj-text>
    <mj-text>it was good to have you as a customer.</mj-text>
    <mj-button name="cta" css-class="wide" href="{{{{ sender.shop_url }}}}">To the shop</mj-button>
  </mj-column>
</mj-section>
{{% endblock %}}
{{% block because %}}You receive this e&#8209;mail because you subscribed.<br />{{% endblock %}}
""",
    "dags/flow/{name}.py": '''\
"""Thanks people for an order, a day later. Say here in a sentence what the flow {name} is for.

**Who, when.** Each valid order of a known person (`triggers.{name}`) begins a journey.

**How it ends.** With its last step.

**What to change where.** Delays and steps: here. Words: include/templates/{name}/. Who: the trigger.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="{name}",
    steps=[
        Email("first", after="1 day"),
    ],
    relies_on=["shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
''',
    "tests/dags/flow/test_{name}.py": '''\
"""The flow {name} from the trigger to the mail, in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_it_writes_a_day_later_once(circuit, run_dag):
    person = {{
        "contact_id": "shop-1",
        "email": "ada@example.org",
        "language": "en",
        "email_consent": "granted",
    }}
    order = {{"contact_id": "shop-1", "occurrence_id": "o1", "occurred_at": NOON - DAY}}
    rows = {{"core.contacts": [person], "triggers.{name}": [order]}}

    circuit.publish(rows, as_of=NOON - DAY)
    run_dag("flow/{name}")
    assert circuit.reasons() == {{("first", "shop-1"): "not_due"}}

    circuit.publish(rows)
    for _ in range(2):
        assert run_dag("flow/{name}")["state"] == "success"
    assert [mail["To"] for mail in circuit.mails()] == ["ada@example.org"]
''',
}

KINDS = {"segment": SEGMENT, "flow": FLOW}


def write(kind: str, name: str, root: Path = REPOSITORY) -> list[Path]:
    """Write the files of a new segment or flow; return their paths.

    Raises ValueError for an unknown kind or a name that cannot be one, FileExistsError if one of
    the files is there already. Nothing is written then.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is neither of: {', '.join(KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ValueError(
            f"{name!r} cannot be a name: write lower case letters, digits and _, such as name=night_owls"
        )
    files = {root / path.format(name=name): text.format(name=name) for path, text in KINDS[kind].items()}
    if found := [str(path.relative_to(root)) for path in files if path.exists()]:
        raise FileExistsError(f"there is a {kind} {name} already: {', '.join(found)}")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: make segment name=night_owls, or make flow name=thanks", file=sys.stderr)
        return 2
    kind, name = arguments
    try:
        written = write(kind, name)
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    print("written, to be changed as you like:")
    for path in written:
        print(f"  {path.relative_to(REPOSITORY)}")
    docs.main([])
    if kind == "flow":
        print(f"its page is docs/flows/{name}.md; `make preview flow={name}` shows its mails")
    print("check with `make check`, and with `make test`; after a change `make docs` renews the pages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
