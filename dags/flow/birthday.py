"""Congratulates people on their birthday, with a voucher of their own, and reminds them of it.

**Who.** Everybody whose date of birth we know, from the CRM or from an answer (`core.dates`), on the day on
which the birthday begins where the person lives. Who was born on the 29th of February is congratulated on
the 28th in years that have none. The key is the year: who corrects the date has no second birthday.

**What.** The congratulation between 09:00 and 20:00 on the person's own clock. A birthday mail that cannot
go out on the day does not go out at all (`expires`), so builds have to run at least twice a day. Ten days
later a reminder for those who have not ordered; the code is good for fourteen.

**What to change where.** Texts: include/templates/birthday/. What the code gives: the pool `birthday` in
include/vouchers.yaml; without a free code people wait for one, until the day is over.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="birthday",
    steps=[
        Email(
            "congratulations", after="at once, from 09:00 to 20:00", expires="20 hours", voucher="birthday"
        ),
        Email("reminder", after="10 days, from 09:00 to 20:00", unless="ordered", expires="2 days"),
    ],
)

dag = flow.dag()  # an airflow.sdk.DAG
