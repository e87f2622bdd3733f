"""Accompanies a pregnancy and the first two years: a few lines in certain weeks, and at certain ages.

**Who.** Contacts with a due date in the CRM's property `baby_due`; once the child is born it holds the day
of birth. Weeks count from 280 days before the due date, months of age by the calendar, who was born on the
31st being a month older on a shorter month's last day; days begin where the person lives.

A due date tells of a person's health (GDPR, article 9): keep it only of people who gave it for this
purpose. Who takes it back gets nothing further, for the trigger asks the date anew each time: deleting it
in the CRM is all there is to do.

**What.** The tip for that week or month in the person's language; there are weeks and months with none.

**What to change where.** Weeks, months and texts: include/sql/seeds/family_tips.csv, a row each.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="family_milestone",
    steps=[Email("tip", after="at once, from 09:00 to 20:00", expires="3 days")],
    relies_on=["crm"],
)

dag = flow.dag()  # an airflow.sdk.DAG
