"""Thanks members on the day on which their membership comes round.

**Who.** Contacts with a date in the CRM's property `member_since` (`core.dates`), each year on that day,
where the person lives; the 29th of February is kept on the 28th in years that have none.

**What.** One mail, between 09:00 and 20:00 on the person's own clock, on that day or not at all.

**What to change where.** Texts: include/templates/membership_anniversary/; `{{ years }}` says which one it
is.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="membership_anniversary",
    steps=[Email("thanks", after="at once, from 09:00 to 20:00", expires="20 hours")],
)

dag = flow.dag()  # an airflow.sdk.DAG
