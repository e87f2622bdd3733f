"""Stops writing to one person, or takes a suppression of that person back, when it asks for it.

**When.** By hand: "Trigger", name the person, choose what to do. `report` changes nothing.

**What**

- *report*: what keeps us from writing to the person, on which channel and since when, and what was lifted.
- *suppress*: "do not write to me any more". An objection (`opt_out`) to one channel, or, with `all`, to
  everything that reaches the person, messages about a contract included. It holds from the next batch on.
- *lift*: "my mailbox works again", "I do want your mails". Takes one reason back, on one channel or wherever
  it stands. What the person agreed to is asked all the same: lifting gives no consent. A complaint needs the
  tick "Even a complaint". An objection cannot be lifted by hand: only the person's own click takes it back,
  the link in the mail that confirms a new subscription; after an objection to `all` there is no such mail.
- *undo*: takes back what an earlier run of this DAG suppressed: the wrong person was named. Not for
  somebody who has changed their mind.

**The person** is named by a contact id, or the id of any record or browser; all records that are one person
count. Never by an address: what is typed here stands in Airflow's database.

**Before you lift** a bounce or a complaint, take the address off the provider's own list, too (SendGrid:
Suppressions). Otherwise the provider drops the next mail, and the address is suppressed again.

**Afterwards** the next build knows it, and the clean-up of the list finds the person again only by newer
evidence: another bounce, another complaint, half a year of silence since.

**Touches** the ledger's table `suppression`. Rows stay, with when and by which run they were lifted.

**Rerun.** Clearing does the same once more: nothing is suppressed or lifted twice, and what was suppressed
after the run had been triggered stays.

**When the task is red**: nobody is known by that id, or the reason cannot be lifted by hand, or the person
was never suppressed for it; the log says which, and what is in force.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from kreislauf.flow.dag import DEFAULTS, describe
from kreislauf.flow.model import dag_id
from kreislauf.flow.suppression import ACTIONS, CHANNELS
from kreislauf.ledger.schema import SuppressionReason

params = {
    "contact": Param(
        type="string",
        pattern="^[A-Za-z0-9_:.-]{1,64}$",
        title="Who",
        description="Contact id, such as shop-1042, or the id of one of the person's records. No address.",
    ),
    "action": Param(
        "report",
        enum=list(ACTIONS),
        title="Do what",
        description="`report` changes nothing.",
    ),
    "channel": Param(
        "all",
        enum=list(CHANNELS),
        title="Channel",
        description="To suppress: `all` stops everything. To lift: `all` is wherever the reason stands.",
    ),
    "reason": Param(
        None,
        enum=[None, *(reason.value for reason in SuppressionReason)],
        title="Reason",
        description="To lift: which one, from the report.",
    ),
    "even_a_complaint": Param(
        False,
        type="boolean",
        title="Even a complaint",
        description="To lift a complaint: the person has asked for our mails since it reported one as spam.",
    ),
    "undo_run": Param(
        None,
        type=["null", "string"],
        title="Undo a run",
        description="To undo: the id of the run of this DAG that suppressed the wrong person.",
    ),
}

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    tags=["maintain"],
    default_args=DEFAULTS | {"retries": 0},
    params=params,
) as dag:

    @task(multiple_outputs=False)
    def act(**context: Any) -> dict[str, Any]:
        """Do what the form says, and report how things stand then."""
        from kreislauf import hooks
        from kreislauf.flow import suppression

        run = context["dag_run"]
        wanted = context["params"]
        return suppression.act(hooks.ledger(), hooks.warehouse(), wanted, run.run_id, run.run_after)

    act()
