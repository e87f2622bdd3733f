"""Takes who chose to be an ambassador into the audience `ambassadors`, and welcomes them.

**Who.** Who followed the button of `flow_ambassadors` (clicks of scanners do not count) or filled in the
programme's form on the site, and is not in the audience (`triggers.ambassador_accepted`). Once a year: who
has left does not come back by an old mail.

**What.** The audience at once, then the welcome with the way to the person's own link.

**What to change where.** Texts: include/templates/ambassador_welcome/. Who is in the programme:
`core.audience_members`.
"""

from kreislauf.flow import Email, Flow, Join

flow = Flow(
    trigger="ambassador_accepted",
    steps=[
        Join("ambassadors", expires="1 week"),
        Email("hello", expires="1 week"),
    ],
    relies_on=["mail"],
)

dag = flow.dag()  # an airflow.sdk.DAG
