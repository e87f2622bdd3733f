"""Shows visitors whom nobody knows yet something on the site: what to read next, a question, the newsletter.

**Who.** A visitor who stayed for two minutes in a day or was about to leave (exit intent), was never logged
in and never gave an address (`triggers.visitor_lingered`, thresholds at its top). Once a visitor and month.

**What.** Who has read something gets the next content on that topic; the others a single question. Three
days later, still unknown, the offer of the newsletter. The site asks for open overlays with each page
(`GET /overlays/<visitor>`), shows one after the template's `delay_seconds` or when the mouse leaves the
window (`exit_intent`), and tells what came of it. An overlay planned now is seen with the next page or visit.

**How it ends.** With recognition: who logs in or gives the address is a contact from then on, and everything
the browser has done joins that contact, this journey and its decisions too. Answers and new addresses come
back as site events; an address given here still has to be confirmed before it is written to.

**What to change where.** Texts: include/templates/anonymous_visitor/. Limits: the trigger.
"""

from kreislauf.flow import Branch, Flow, Onsite

flow = Flow(
    trigger="visitor_lingered",
    goal="identified",
    steps=[
        Branch(
            "interest",
            when="content_title is known",
            then=[Onsite("content", expires="1 week")],
            otherwise=[Onsite("survey", expires="1 week")],
        ),
        Onsite("newsletter", after="3 days", expires="1 week"),
    ],
    relies_on=["site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
