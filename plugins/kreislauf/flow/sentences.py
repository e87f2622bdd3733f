"""What each reason means, in a sentence: the one place for it. `make why` and docs/why.md say it so."""

from __future__ import annotations

from collections.abc import Mapping

from kreislauf.ledger.schema import BatchState, Outcome, Reason

REASONS: Mapping[Reason, str] = {
    Reason.PLANNED: "Nothing spoke against it: a message was planned; its state says what became of it.",
    Reason.BRANCHED: "The journey took one side of a branch: the variant names it.",
    Reason.CONDITION_FALSE: "The step's condition was not as it asks, or its date was past or is not known.",
    Reason.OTHER_BRANCH: "The step stands on the side of a branch that the person did not take.",
    Reason.GOAL_REACHED: "What the flow is for had happened since the trigger: the journey is over.",
    Reason.EXPIRED: "Due longer ago than the step's `expires` allows; or what began it or the step is gone.",
    Reason.QUIET_HOURS: "No hour was left that the person's night and the step's time of day allow.",
    Reason.UNREACHABLE: "No address is known on this channel, or none that can exist.",
    Reason.NO_CONSENT: "The person had not agreed to this topic on this channel.",
    Reason.SUPPRESSED: "The address or the person is not written to: a bounce, a complaint, an objection.",
    Reason.HOLDOUT: "The person is in the control group of the flow, or in that of all flows.",
    Reason.NOT_IN_PILOT: "The flow acts on a share of the people only, and this person is not in it.",
    Reason.NOT_APPROVED: "A person was asked to approve the messages, and did not.",
    Reason.NOT_DUE: "The delay is not over.",
    Reason.PREVIOUS_STEP_OPEN: "The step before is not decided yet.",
    Reason.FREQUENCY_CAP: "The person has got, or will get, as many messages as one may in that time.",
    Reason.RUN_CAP: "The run, or the day, had as many messages as it may; who waited longest came first.",
    Reason.NO_VOUCHER: "No voucher code was left in the pool.",
    Reason.QUALITY_GATE: "The last build failed its audits, or a source did not reach the moment it was due.",
    Reason.STOPPED: "Too many of the flow's messages bounced or brought complaints: it stopped by itself.",
    Reason.PAUSED: "The kill switch was set, for the flow or for everything.",
}
"""Of a message that was dropped at the claim, the same reasons hold for that later moment."""

MESSAGES: Mapping[str, str] = {
    BatchState.WAITING: "waits for a person's approval",
    BatchState.PLANNED: "planned, not yet handed over",
    BatchState.CLAIMED: "being handed over",
    BatchState.ACCEPTED: "accepted by the provider",
    BatchState.REJECTED: "refused by the provider",
    BatchState.IN_DOUBT: "in doubt: the provider did not answer; it is not sent again by itself",
    Outcome.SKIPPED: "dropped in the last moment before sending",
}

EVENTS: Mapping[str, str] = {
    "processed": "taken on",
    "dropped": "dropped by the provider",
    "delivered": "delivered",
    "deferred": "delayed by the recipient's server",
    "bounce": "bounced",
    "open": "opened",
    "click": "clicked",
    "spamreport": "reported as spam",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "subscribed again",
    "close": "put away",
}
