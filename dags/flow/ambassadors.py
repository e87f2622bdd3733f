"""Invites people who carry the word on to become ambassadors.

**Who.** Who enters the segment `ambassadors`: many followers, or friends who came and bought by their link
(`scores.advocacy`), and is not in the programme. At most once a year.

**What.** An invitation, and after ten days a reminder for those who have not accepted. With many found at
once, such as at the very first build, a person approves before anything is sent.

**How it ends.** With acceptance: a click on the invitation's button, or the programme's form on the site.
Then `flow_ambassador_welcome` takes over.

**What to change where.** Who counts: `ambassador_from` in include/sql/segments/ambassadors.sql and the
points in include/sql/scores/advocacy.sql. Texts: include/templates/ambassadors/; the button has to lead to
the page that include/sql/conditions/accepted_ambassadorship.sql names.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="advocate_found",
    goal="accepted_ambassadorship",
    steps=[
        Email("invitation", after="at once, on weekdays from 09:00 to 19:00", expires="2 weeks"),
        Email("reminder", after="10 days, at their hour"),
    ],
    relies_on=["mail"],
    approve_above=100,
)

dag = flow.dag()  # an airflow.sdk.DAG
