"""After a download: two more contents on the same topic, unread and in that language.

A journey starts with a content that was asked for by somebody who gets mail (`triggers.content_unlocked`).
A few days later comes the latest unread content on its topic, two weeks after that one more. Where nothing
is left to read the step is recorded as `condition_false`. The contents stand in
`include/sql/seeds/contents.csv`.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="content_unlocked",
    steps=[
        Email("next_read", after="4 days, at their hour", when="next_url is known"),
        Email("last_read", after="2 weeks, at their hour", when="later_url is known"),
    ],
    relies_on=["site"],
    frequency_cap="2 per 2 weeks",
)

dag = flow.dag()  # an airflow.sdk.DAG
