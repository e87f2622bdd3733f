"""Flows: trigger, delay, condition, action. Written in dags/flow/, decided in the ledger."""

from kreislauf.flow.actions import (
    Branch,
    By,
    Crm,
    Email,
    Join,
    Leave,
    Onsite,
    Push,
    Sms,
    Split,
    Test,
    Together,
    Webhook,
)
from kreislauf.flow.model import Flow, FlowError

__all__ = [
    "Branch",
    "By",
    "Crm",
    "Email",
    "Flow",
    "FlowError",
    "Join",
    "Leave",
    "Onsite",
    "Push",
    "Sms",
    "Split",
    "Test",
    "Together",
    "Webhook",
]
