"""One person's suppressions, from the form to the ledger."""

from __future__ import annotations

import pytest

from kreislauf.ledger.suppressions import suppress

ADA = {"contact_id": "shop-1", "email": "ada@example.org"}


@pytest.fixture
def bounced(circuit):
    """Ada, whose mailbox was full for too long."""
    circuit.publish({"core.contacts": [ADA]})
    suppress(circuit.ledger, [{"address": ADA["email"]}], "soft_bounce", "list_cleanup q1")
    return circuit


def test_a_report_a_lifting_and_an_objection(bounced, run_dag):
    told = run_dag("maintain/suppression", contact="shop-1")["results"]["act"]
    assert (told["changed"], told["lifted"]) == (0, [])
    assert [(one["channel"], one["reason"]) for one in told["in_force"]] == [("email", "soft_bounce")]

    lifted = run_dag("maintain/suppression", contact="shop-1", action="lift", reason="soft_bounce")
    assert lifted["results"]["act"]["in_force"] == []
    assert [one["reason"] for one in lifted["results"]["act"]["lifted"]] == ["soft_bounce"]

    stopped = run_dag("maintain/suppression", contact="shop-1", action="suppress")
    told = stopped["results"]["act"]
    assert [(one["channel"], one["reason"]) for one in told["in_force"]] == [("all", "opt_out")]

    refused = run_dag("maintain/suppression", contact="shop-1", action="lift", reason="opt_out")
    assert refused["state"] == "failed"

    run_id = stopped["run_id"]
    undone = run_dag("maintain/suppression", contact="shop-1", action="undo", undo_run=run_id)
    assert undone["results"]["act"]["in_force"] == []
    assert "@" not in str([told, lifted, stopped, undone])


def test_an_address_is_refused_before_it_is_stored(circuit, run_dag):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        run_dag("maintain/suppression", contact="ada@example.org")
