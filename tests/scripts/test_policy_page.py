"""docs/policy.md says what include/policy.yaml sets, and names each guard's reason."""

from __future__ import annotations

from pathlib import Path

import yaml

from kreislauf.ledger.schema import Reason

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "policy.md").read_text(encoding="utf-8")

NOT_A_GUARD = {
    Reason.PLANNED,
    Reason.BRANCHED,
    Reason.OTHER_BRANCH,
    Reason.CONDITION_FALSE,
    Reason.NOT_DUE,
    Reason.PREVIOUS_STEP_OPEN,
}


def test_it_names_what_the_policy_sets():
    policy = yaml.safe_load((REPOSITORY / "include" / "policy.yaml").read_text(encoding="utf-8"))
    stop, channels = policy["stop"], policy["channels"].values()
    shipped = [
        policy["holdout"],
        stop["complaint_rate"],
        stop["bounce_rate"],
        stop["within"],
        stop["at_least"],
    ]
    shipped += [policy["most_in_a_run"], policy["most_in_a_day"], *policy["priorities"]]
    shipped += [channel["quiet_hours"] for channel in channels]
    shipped += [cap for channel in channels for cap in channel["frequency_caps"]]
    assert [value for value in shipped if str(value) not in PAGE] == []


def test_it_names_the_reason_of_every_guard():
    assert [reason for reason in Reason if reason not in NOT_A_GUARD and f"`{reason}`" not in PAGE] == []
