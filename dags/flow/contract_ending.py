"""Asks people to renew before their contract ends: two mails, then a call by sales.

**Who.** Contacts with a date in the CRM's property `contract_end` (`core.dates`), from 60 days before it
on, where the person lives.

**What.** An offer at 60 days, a reminder at 30 for those who have not clicked, and at 14 days a task for
whoever looks after the contact in the CRM. A contract entered late begins with what is not stale yet.

**How it ends.** With a new date: the occurrence of the old one is withdrawn, nothing further is sent, and
the open steps are recorded as expired once they would have been. The new end begins a journey of its own.

**What to change where.** The 60 days: `days_before` at the top of include/sql/triggers/contract_ending.sql,
in steps with the delays here. Texts, and the task: include/templates/contract_ending/.
"""

from kreislauf.flow import Crm, Email, Flow

flow = Flow(
    trigger="contract_ending",
    steps=[
        Email("offer", after="at once, on weekdays from 09:00 to 18:00", expires="25 days"),
        Email(
            "reminder",
            after="30 days since trigger, on weekdays from 09:00 to 18:00",
            unless="clicked previous",
            expires="10 days",
        ),
        Crm("call", after="46 days since trigger", unless="clicked any", expires="10 days"),
    ],
    relies_on=["crm"],
)

dag = flow.dag()  # an airflow.sdk.DAG
