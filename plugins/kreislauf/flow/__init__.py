"""Flows: trigger, delay, condition, action. Written in dags/flow/, decided in the ledger."""

from kreislauf.flow.model import Email, Flow, FlowError, Test

__all__ = ["Email", "Flow", "FlowError", "Test"]
