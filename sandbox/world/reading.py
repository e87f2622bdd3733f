"""What people read on the site, and what they answer there: forms, and a survey after a purchase."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sandbox.world import profile
from sandbox.world.catalogue import CONTENTS, Content
from sandbox.world.people import Person
from sandbox.world.simulation import Entry, site_url

PHASES = {
    # purchases so far: how likely each phase is
    0: {"reach": 6, "engage": 4, "activate": 1, "loyalty": 0.1},
    1: {"reach": 2, "engage": 4, "activate": 4, "loyalty": 2},
    2: {"reach": 1, "engage": 2, "activate": 3, "loyalty": 6},
}
ANSWERED = 0.7
"""Of those who follow a link to questions, how many answer."""
LEAD_PHASES = {"reach": 2, "engage": 4, "activate": 5, "loyalty": 0.3}


def choose(person: Person, rng: random.Random) -> Content:
    """Something in the person's language, rather for people like them, that fits where they stand."""
    phases = LEAD_PHASES if person.role == "lead" else PHASES[min(person.purchases, 2)]
    offered = [content for content in CONTENTS if content.language == person.language]
    weights = [
        phases[content.phase]
        * (4.0 if content.persona == person.persona else 1.5 if content.persona is None else 0.3)
        for content in offered
    ]
    return rng.choices(offered, weights)[0]


def read_something(entry: Entry, at: datetime, known: bool) -> datetime:
    """An article is read, and now and then what it offers is downloaded; gives the moment after it."""
    person, rng = entry.person, entry.rng
    content = choose(person, rng)
    url = site_url(f"/magazine/{content.id}")
    about = {"known": known, "content_id": content.id, "topic": content.topic}
    stay = rng.randrange(20, 420)
    entry.sim.site(person, at, "page_view", url, seconds_on_page=stay, **about)
    at += timedelta(seconds=stay)
    if rng.random() < 0.35:
        hand_over(entry, content, at, known=known)
    return at


def hand_over(
    entry: Entry,
    content: Content,
    at: datetime,
    answers: list[dict[str, Any]] | None = None,
    known: bool = False,
) -> None:
    """An address is left for what an article offers. Lately that comes by mail, before it came at once."""
    person, url = entry.person, site_url(f"/magazine/{content.id}")
    about = {"content_id": content.id, "topic": content.topic, "email": person.email, "known": known}
    more = {"answers": answers} if answers else {}
    entry.sim.site(person, at, "form_submit", url, **about, **more)
    if at < entry.sim.mailed_since:
        entry.sim.site(person, at + timedelta(seconds=3), "content_download", url, **about)


def request(entry: Entry) -> None:
    """Somebody leaves their address for something to read."""
    hand_over(entry, choose(entry.person, entry.rng), entry.at)


def take(entry: Entry, asked: dict[str, str], utm: dict[str, str]) -> None:
    """The link to what was asked for is followed."""
    name = urlsplit(entry.data["url"]).path.rpartition("/magazine/")[2]
    content = next((one for one in CONTENTS if one.id == name), None)
    if content is not None:
        about = {"content_id": content.id, "topic": content.topic, "email": entry.person.email}
        at = entry.at + timedelta(seconds=entry.rng.randrange(5, 90))
        entry.sim.site(entry.person, at, "content_download", entry.data["url"], **about, **utm)


def form_answers(person: Person, rng: random.Random) -> list[dict[str, Any]]:
    """What a lead answers in a download's form: it asks for one or two things at a time."""
    said = profile.bant(person, rng) | {
        "interest": profile.TOPICS[person.persona],
        "birthday": person.birthday,
    }
    asked = rng.sample(("role", "need", "timeframe", "budget", "interest", "birthday"), rng.randint(0, 2))
    return [{"question": question, "answer": said[question]} for question in asked]


def newsletter_answers(person: Person, rng: random.Random) -> list[dict[str, Any]]:
    """What a newsletter form is told of its own free will."""
    answers = []
    if rng.random() < 0.35:
        answers.append({"question": "interest", "answer": profile.TOPICS[person.persona]})
    if rng.random() < 0.2:
        answers.append({"question": "birthday", "answer": person.birthday})
    return answers


def tell(entry: Entry, asked: dict[str, str], utm: dict[str, str]) -> None:
    """A page of questions is filled in: `/profile/<question>`, or `/preferences`, perhaps with the answer."""
    person, url = entry.person, entry.data["url"]
    page, _, question = urlsplit(url).path.partition("/profile/")
    said = profile.bant(person, entry.rng) | {"birthday": person.birthday}
    said["interest"] = asked.get("interest", profile.TOPICS[person.persona])
    question = question or "interest"
    if entry.rng.random() < ANSWERED and question in said:
        answers = [{"question": question, "answer": said[question]}]
        topic = "preferences" if page.endswith("/preferences") else "profile"
        at = entry.at + timedelta(seconds=40)
        entry.sim.site(
            person, at, "form_submit", url, email=person.email, topic=topic, answers=answers, **utm
        )


def offer(entry: Entry, asked: dict[str, str], utm: dict[str, str]) -> None:
    """The form behind a link to an offer is filled in."""
    if entry.rng.random() < ANSWERED:
        entry.later("ask_offer", timedelta(minutes=entry.rng.randrange(1, 9)))


def rate(entry: Entry, asked: dict[str, str], utm: dict[str, str]) -> None:
    """The survey behind a link is filled in."""
    if entry.rng.random() < ANSWERED:
        entry.later("survey", timedelta(minutes=entry.rng.randrange(1, 9)), topic=asked.get("about"), **utm)


def ask_offer(entry: Entry) -> None:
    """Somebody asks for an offer, and says what there is to spend."""
    person, rng = entry.person, entry.rng
    said = profile.bant(person, rng) | {"budget": f"{entry.data.get('budget') or person.budget:.0f}"}
    asked = ("budget", *rng.sample(("role", "need", "timeframe"), rng.randint(0, 2)))
    answers = [{"question": question, "answer": said[question]} for question in asked]
    url = site_url("/business/offer")
    entry.sim.site(person, entry.at, "page_view", url, seconds_on_page=rng.randrange(40, 300))
    at = entry.at + timedelta(minutes=4)
    entry.sim.site(person, at, "form_submit", url, email=person.email, topic="offer", answers=answers)


def survey(entry: Entry) -> None:
    """How was it? Some time after the goods have come, or when asked in a mail."""
    person, rng = entry.person, entry.rng
    satisfaction = max(1, min(10, round(rng.gauss(8.2 if person.habit != "fader" else 5.5, 1.6))))
    satisfaction = entry.data.get("mark", satisfaction)
    answers = [
        {"question": "satisfaction", "answer": str(satisfaction)},
        {"question": "recommend", "answer": str(max(0, min(10, satisfaction + rng.choice((-1, 0, 0, 1)))))},
    ]
    if rng.random() < 0.3:
        answers.append({"question": "interest", "answer": profile.TOPICS[person.persona]})
    utm = {name: value for name, value in entry.data.items() if name.startswith("utm_")}
    entry.sim.site(
        person, entry.at, "survey", site_url("/feedback"),
        known=True, email=person.email, topic=entry.data.get("topic") or "feedback", answers=answers, **utm,
    )  # fmt: skip
    if satisfaction >= 9:
        entry.later("praise", timedelta(hours=rng.uniform(1, 70)))


HANDLERS = {"survey": survey, "ask_offer": ask_offer, "request": request}
