"""The ledger's tables. SQLite by default, PostgreSQL for a team; migrations/ creates them.

Moments are stored in UTC. Closed vocabularies are enumerations here and CHECK constraints in
the database, so an unknown word is an error and not a new kind of row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class Moment(TypeDecorator[datetime]):
    """A moment: aware UTC in Python, naive UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the ledger takes aware moments only")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Reason(StrEnum):
    """Why a candidate was, or was not, written to. Every candidate has exactly one.

    The last group is not final: the candidate is asked again at the next run.
    """

    PLANNED = "planned"
    BRANCHED = "branched"
    CONDITION_FALSE = "condition_false"
    OTHER_BRANCH = "other_branch"
    GOAL_REACHED = "goal_reached"
    EXPIRED = "expired"
    QUIET_HOURS = "quiet_hours"
    UNREACHABLE = "unreachable"
    NO_CONSENT = "no_consent"
    SUPPRESSED = "suppressed"
    HOLDOUT = "holdout"
    NOT_IN_PILOT = "not_in_pilot"
    NOT_APPROVED = "not_approved"
    """Only of a message: a person said no to what was planned."""

    NOT_DUE = "not_due"
    PREVIOUS_STEP_OPEN = "previous_step_open"
    FREQUENCY_CAP = "frequency_cap"
    RUN_CAP = "run_cap"
    NO_VOUCHER = "no_voucher"
    QUALITY_GATE = "quality_gate"
    STOPPED = "stopped"
    PAUSED = "paused"


NOT_FINAL = frozenset(
    {
        Reason.NOT_DUE,
        Reason.PREVIOUS_STEP_OPEN,
        Reason.FREQUENCY_CAP,
        Reason.RUN_CAP,
        Reason.NO_VOUCHER,
        Reason.QUALITY_GATE,
        Reason.STOPPED,
        Reason.PAUSED,
    }
)


class Channel(StrEnum):
    """The way an action takes. What has no inbox of a person's (the CRM, a webhook) is one too."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    ONSITE = "onsite"
    CRM = "crm"
    WEBHOOK = "webhook"
    AUDIENCE = "audience"


MARKETING, SERVICE = "marketing", "service"
"""The topic that stands for all marketing, and that of messages about a contract, which need no consent."""

REPEATABLE = frozenset({Channel.ONSITE, Channel.CRM, Channel.WEBHOOK, Channel.AUDIENCE})
"""May be offered again when nobody knows what became of them: the receiver, or our own table, tells a
message it has by the message's key."""

ONE_BY_ONE = frozenset({Channel.SMS, Channel.PUSH})
"""Each message is a request of its own: an event proves that message accepted, not its batch."""


class BatchState(StrEnum):
    """planned -> claimed -> accepted | rejected | in_doubt. In doubt is never sent again by itself.

    A batch that a person has to approve waits before it is planned.
    """

    WAITING = "waiting"
    PLANNED = "planned"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"


class Outcome(StrEnum):
    """A message that did not share its batch's fate: dropped at the claim, or refused alone."""

    SKIPPED = "skipped"
    REJECTED = "rejected"


class SuppressionReason(StrEnum):
    """Why an address is not written to any more."""

    OPT_OUT = "opt_out"
    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce"
    INVALID_ADDRESS = "invalid_address"
    NEVER_CONFIRMED = "never_confirmed"
    UNENGAGED = "unengaged"
    DUPLICATE = "duplicate"
    MANUAL = "manual"


class ConsentState(StrEnum):
    """What the person last said about a topic on a channel."""

    GRANTED = "granted"
    REVOKED = "revoked"


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} in ({listed})", name=f"{column}_is_known")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

consent = Table(
    "consent",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("address", String(320), nullable=False, index=True, comment="lower case"),
    Column("contact_id", String(64)),
    Column("channel", String(16), nullable=False, server_default="email"),
    Column("topic", String(64), nullable=False, server_default="marketing"),
    Column("state", String(16), nullable=False),
    Column("legal_basis", String(32), comment="consent_doi, consent_soi or existing_customer_7_3"),
    Column("source", String(32), nullable=False, comment="shop, crm, web, import"),
    Column("source_key", String(128), nullable=False, comment="one row for each statement of a source"),
    Column("text_version", String(64)),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("source", "source_key"),
    _one_of("state", ConsentState),
)

suppression = Table(
    "suppression",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("address", String(320), nullable=False, comment="lower case"),
    Column("contact_id", String(64), index=True),
    Column("channel", String(16), nullable=False, server_default="email"),
    Column("topic", String(64), nullable=False, server_default="all"),
    Column("reason", String(32), nullable=False),
    Column("source", String(128), nullable=False, comment="an event id, a run id, or who did it"),
    Column("created_at", Moment, nullable=False),
    Column("lifted_at", Moment, comment="set when the suppression was taken back"),
    Column("lifted_by", String(128)),
    Column("updated_at", Moment, nullable=False, index=True),
    UniqueConstraint("address", "channel", "topic", "reason"),
    _one_of("reason", SuppressionReason),
)

candidate = Table(
    "candidate",
    metadata,
    # What one run asks about, and the answer; deleted when the run has decided.
    Column("run_id", String(250), primary_key=True),
    Column("flow", String(64), primary_key=True),
    Column("step", String(64), primary_key=True),
    Column("contact_id", String(64), primary_key=True),
    Column("occurrence_id", String(128), primary_key=True),
    Column("occurred_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("delay", Integer, nullable=False, comment="seconds"),
    Column("is_since_trigger", Boolean, nullable=False),
    Column("variant", String(32), nullable=False, server_default=""),
    Column("is_goal_reached", Boolean, nullable=False),
    Column("is_condition_met", Boolean, nullable=False),
    Column("has_consent", Boolean, nullable=False),
    Column("is_held_out", Boolean, nullable=False),
    Column("is_in_pilot", Boolean, nullable=False),
    Column("address", String(320), comment="as the channel knows the person; null: not at all"),
    Column("language", String(8), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("local_hour", Integer, comment="when the person reads, if the step asks"),
    Column("item_count", Integer, nullable=False, server_default="0"),
    Column("merge", JSON, comment="null: cannot be planned by this run"),
    Column("expires_at", Moment),
    Column("send_at", Moment),
    Column("reason", String(32), comment="null: decided for good before"),
)

window = Table(
    "window",
    metadata,
    # When a run's messages may go out, by the clock of the recipient; deleted with its candidates.
    Column("run_id", String(250), primary_key=True),
    Column("flow", String(64), primary_key=True),
    Column("step", String(64), primary_key=True),
    Column("timezone", String(64), primary_key=True),
    Column("local_hour", Integer, primary_key=True, comment="-1: not known"),
    Column("send_at", Moment, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("flow", String(64), nullable=False),
    Column("flow_version", String(64), nullable=False),
    Column("step", String(64), nullable=False),
    Column("contact_id", String(64), nullable=False, index=True),
    Column("occurrence_id", String(128), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("is_final", Boolean, nullable=False),
    Column("variant", String(32), nullable=False, server_default=""),
    Column("channel", String(16), nullable=False, server_default=Channel.EMAIL.value),
    Column("occurred_at", Moment, comment="what started the journey; null: decided before 0002"),
    Column("due_at", Moment),
    Column("send_at", Moment, comment="planned for this moment: the next one that quiet hours allow"),
    Column("as_of", Moment, nullable=False, comment="the moment of the build it was decided on"),
    Column("inputs_until", Moment, comment="all sources it relies on were known up to this moment"),
    Column("policy_version", String(64), comment="digest of include/policy.yaml as it was"),
    Column("build_id", String(64), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("updated_at", Moment, nullable=False, index=True),
    UniqueConstraint("flow", "step", "contact_id", "occurrence_id"),
    _one_of("reason", Reason),
)

batch = Table(
    "batch",
    metadata,
    Column("id", String(32), primary_key=True, comment="sent along as the argument bk"),
    Column("flow", String(64), nullable=False),
    Column("step", String(64), nullable=False),
    Column("channel", String(16), nullable=False, server_default=Channel.EMAIL.value),
    Column("variant", String(32), nullable=False, server_default=""),
    Column("language", String(8), nullable=False),
    Column("item_count", Integer, nullable=False, server_default="0"),
    Column("template", String(128), nullable=False),
    Column("template_version", String(64), comment="digest of what was sent; set at the claim"),
    Column("size", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("send_at", Moment, nullable=False, comment="by the circuit's clock: not sent before"),
    Column("run_id", String(250), nullable=False, comment="the run that planned it, and asks for approval"),
    Column(
        "caps", JSON, nullable=False, comment="[messages, seconds]: frequency caps, asked again in the claim"
    ),
    Column("hours", JSON, comment="time of day and quiet hours, asked again in the claim; null: any moment"),
    Column("timezone", String(64), comment="the clock that the hours go by"),
    Column("local_hour", Integer, comment="when these people read, if the step asks"),
    Column("not_before", Moment, comment="set by a 429: planned again, but not earlier"),
    Column("owner", String(250), comment="the run and try that claimed it"),
    Column("claimed_at", Moment),
    Column("answered_at", Moment),
    Column("http_status", Integer),
    Column("provider_message_id", String(128)),
    Column("error", Text),
    Column("settled_by", String(128), comment="what took it out of doubt: an event, or a person"),
    Column("planned_as_of", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False, index=True),
    _one_of("state", BatchState),
    Index(None, "state", "flow", "step"),
)

message = Table(
    "message",
    metadata,
    Column("message_key", String(32), primary_key=True, comment="opaque; sent along as the argument mk"),
    Column("flow", String(64), nullable=False),
    Column("step", String(64), nullable=False),
    Column("contact_id", String(64), nullable=False, index=True),
    Column("occurrence_id", String(128), nullable=False),
    Column("batch_id", String(32), ForeignKey("batch.id"), nullable=False, index=True),
    Column("channel", String(16), nullable=False, server_default=Channel.EMAIL.value),
    Column("priority", Integer, nullable=False, comment="class of the flow; 0 is the highest"),
    Column("topic", String(64), nullable=False, server_default="marketing"),
    Column("address", String(320), nullable=False, index=True, comment="as the channel knows the person"),
    Column("send_at", Moment, nullable=False, index=True),
    Column("merge", JSON, nullable=False),
    Column("outcome", String(16), comment="null: what became of its batch"),
    Column("outcome_reason", String(250)),
    Column("expires_at", Moment, comment="not sent after this moment of the circuit's clock"),
    Column("planned_as_of", Moment, nullable=False),
    Column("planned_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False, index=True),
    UniqueConstraint("flow", "step", "contact_id", "occurrence_id"),
    CheckConstraint("outcome is null or outcome in ('skipped', 'rejected')", name="outcome_is_known"),
)

merged_contact = Table(
    "merged_contact",
    metadata,
    # Another contact id of a person that messages stand under, and today's; see people.py.
    Column("record_id", String(64), primary_key=True),
    Column("contact_id", String(64), nullable=False, index=True),
)

event = Table(
    "event",
    metadata,
    Column("event_id", String(128), primary_key=True, comment="the provider's own id"),
    Column("message_key", String(32), index=True, comment="null: an asynchronous bounce, known by address"),
    Column("batch_id", String(32), index=True),
    Column("address", String(320), nullable=False, index=True),
    Column("type", String(32), nullable=False),
    Column("bounce_type", String(16)),
    Column("occurred_at", Moment, nullable=False),
    Column("url", Text),
    Column("reason", Text),
    Column("is_machine_open", Boolean, nullable=False, server_default="0"),
    Column("recorded_at", Moment, nullable=False, index=True),
)

template_link = Table(
    "template_link",
    metadata,
    # The links of what was sent: an event's url ends with its slot, so clicks can be counted an image.
    Column("template", String(128), primary_key=True),
    Column("template_version", String(64), primary_key=True),
    Column("slot", String(64), primary_key=True),
    Column("kind", String(16), nullable=False, comment="img, btn or txt"),
    Column("target", Text, nullable=False, comment="a URL, or the merge field that holds it"),
    Column("label", Text, comment="the link's text or its image's alt text"),
)

push_subscription = Table(
    "push_subscription",
    metadata,
    # A browser that may be notified (RFC 8030, RFC 8291). Its id is the digest of the endpoint.
    Column("id", String(64), primary_key=True, comment="the address of the channel push"),
    Column("visitor_id", String(64), index=True),
    Column("contact_id", String(64), index=True, comment="of the message whose link was followed, if any"),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", String(128), nullable=False),
    Column("auth", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment, comment="by the person, or the push service said it is gone"),
    Column("updated_at", Moment, nullable=False, index=True),
)

overlay = Table(
    "overlay",
    metadata,
    # What a visitor is shown on the site when it comes again. The site asks for it by visitor id.
    Column("message_key", String(32), primary_key=True),
    Column("visitor_id", String(64), nullable=False, index=True),
    Column("content", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("shown_at", Moment),
    Column("closed_at", Moment),
    Column("updated_at", Moment, nullable=False, index=True),
)

audience_member = Table(
    "audience_member",
    metadata,
    # Audiences that flows put people into and take them out of: open while left_at is null.
    Column("audience", String(64), primary_key=True),
    Column("contact_id", String(64), primary_key=True),
    Column("entered_at", Moment, primary_key=True),
    Column("left_at", Moment),
    Column("entered_by", String(32), nullable=False, comment="the message's key"),
    Column("left_by", String(32)),
    Column("updated_at", Moment, nullable=False, index=True),
)

voucher = Table(
    "voucher",
    metadata,
    # Codes made in the shop before; each is given to one message.
    Column("code", String(64), primary_key=True),
    Column("pool", String(64), nullable=False),
    Column("message_key", String(32), unique=True),
    Column("assigned_at", Moment),
    Column("created_at", Moment, nullable=False),
    Index(None, "pool", "message_key"),
)

control = Table(
    "control",
    metadata,
    # The kill switch: a row for a flow, or for "all". Read again before every batch.
    Column("scope", String(64), primary_key=True, comment="a flow, or all"),
    Column("is_paused", Boolean, nullable=False),
    Column("reason", String(250)),
    Column("changed_by", String(128), nullable=False),
    Column("changed_at", Moment, nullable=False),
)
