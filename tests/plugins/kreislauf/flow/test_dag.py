"""What of a flow's DAG needs no run of it; tests/dags/flow runs them."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from kreislauf import hooks
from kreislauf.delivery.transport import DeliveryError
from kreislauf.flow import dag
from kreislauf.ledger.schema import Channel

NOT_SET_UP = [
    AirflowNotFoundException("The conn_id `sms` isn't defined"),
    ValueError("connection 'sms' has no host; set it to the base URL"),
]


@pytest.mark.parametrize("error", NOT_SET_UP, ids=["no connection", "an empty one"])
def test_without_its_connection_a_channel_waits_and_mail_is_an_error(monkeypatch, caplog, error):
    def fails(channel: Channel) -> None:
        raise error

    monkeypatch.setattr(hooks, "transport", fails)
    assert dag._transport(Channel.SMS) is None
    assert "sms is not set up" in caplog.text and str(error) in caplog.text
    with pytest.raises(DeliveryError, match="sms"):
        dag._transport(Channel.EMAIL)
