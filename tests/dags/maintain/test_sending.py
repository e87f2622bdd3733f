"""The kill switch, from the form to the ledger."""

from __future__ import annotations


def test_pause_shows_in_the_report_and_resume_takes_it_back(circuit, run_dag):
    paused = run_dag("maintain/sending", action="pause", scope="flow_welcome", reason="wrong voucher")
    assert paused["results"]["act"]["paused"] == {"flow_welcome": "wrong voucher"}
    assert circuit.ledger.is_paused("flow_welcome")

    resumed = run_dag("maintain/sending", action="resume", scope="flow_welcome")
    assert resumed["results"]["act"] == {"paused": {}, "in_doubt": []}


def test_a_batch_that_is_not_in_doubt_is_refused(circuit, run_dag):
    done = run_dag("maintain/sending", action="send again", batch="0" * 32)
    assert done["state"] == "failed"
