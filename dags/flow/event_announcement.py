"""Tells people of a new store, an event or a release that concerns them.

**Who.** Marketing writes announcements into a CSV file (`ingest_files` names the columns). A store or an
event goes to those who live where it is: by country, city or the first digits of the zip code. A release
goes to those who own something of its product type. What an announcement names must all fit; one that names
nothing goes to nobody: that is a newsletter. Once a person and announcement.

**What.** One mail, at the hour at which the person reads. Nobody is invited to what begins within a day.

**How it ends.** With that mail. An announcement taken back, or an event that is over, is not sent any more.

**What to change where.** The mail's own words come from the file, the frame from
include/templates/event_announcement/. For how long an announcement is new: the top of
include/sql/triggers/announced.sql.
"""

from kreislauf.flow import Branch, Email, Flow

flow = Flow(
    trigger="announced",
    steps=[
        Branch(
            "kind_of_news",
            when="kind = release",
            then=[Email("release", after="at once, at their hour", expires="5 days")],
            otherwise=[Email("invitation", after="at once, at their hour", expires="5 days")],
        ),
    ],
)

dag = flow.dag()  # an airflow.sdk.DAG
