"""Tells people of a new store, an event or a release that concerns them, and reminds them of it in time.

**Who.** Marketing writes announcements into a CSV file (`ingest_files` names the columns). A store or an
event goes to those who live where it is: by country, city or the first digits of the zip code. A release
goes to those who own something of its product type. What an announcement names must all fit; one that names
nothing goes to nobody: that is a newsletter. Once a person and announcement.

**What.** One mail, at the hour at which the person reads. Nobody is invited to what begins within a day. Two
days before it begins, a second mail to those who opened the invitation; the day before, a text message to
those who have agreed to text messages.

**How it ends.** With the last message, or when it has begun. An announcement taken back, or an event that is
over, is not sent any more. Without a day there is no reminder.

**What to change where.** The mail's own words come from the file, the frame from
include/templates/event_announcement/. For how long an announcement is new: the top of
include/sql/triggers/announced.sql.
"""

from kreislauf.flow import Branch, Email, Flow, Sms

DAYTIME = "from 09:00 to 20:00"
flow = Flow(
    trigger="announced",
    steps=[
        Branch(
            "kind_of_news",
            when="kind = release",
            then=[Email("release", after="at once, at their hour", expires="5 days")],
            otherwise=[
                Email(
                    "invitation", after="at once, at their hour", unless="hours_left < 24", expires="5 days"
                ),
                Email("reminder", after=f"2 days before starts_at, {DAYTIME}", when="opened invitation"),
                Sms("reminder_text", after=f"1 day before starts_at, {DAYTIME}"),
            ],
        ),
    ],
)

dag = flow.dag()  # an airflow.sdk.DAG
