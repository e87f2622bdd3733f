"""What people read on the site, and what they answer there: forms, and a survey after a purchase."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

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
        entry.sim.site(person, at, "content_download", url, email=person.email, **about)
    return at


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


def survey(entry: Entry) -> None:
    """How was it? Some time after the goods have come."""
    person, rng = entry.person, entry.rng
    satisfaction = max(1, min(10, round(rng.gauss(8.2 if person.habit != "fader" else 5.5, 1.6))))
    answers = [
        {"question": "satisfaction", "answer": str(satisfaction)},
        {"question": "recommend", "answer": str(max(0, min(10, satisfaction + rng.choice((-1, 0, 0, 1)))))},
    ]
    if rng.random() < 0.3:
        answers.append({"question": "interest", "answer": profile.TOPICS[person.persona]})
    entry.sim.site(
        person, entry.at, "survey", site_url("/feedback"), known=True, email=person.email, answers=answers
    )
    if satisfaction >= 9:
        entry.later("praise", timedelta(hours=rng.uniform(1, 70)))


HANDLERS = {"survey": survey}
