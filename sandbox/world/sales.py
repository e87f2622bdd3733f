"""What happens in the CRM: leads with companies, deals and notes, who cool down or become customers."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from sandbox.crm import store as crm
from sandbox.store import iso
from sandbox.world import profile, reading, traffic
from sandbox.world.people import INDUSTRIES, second_address
from sandbox.world.simulation import Entry, site_url

FIRST_CONTACT_ID = 210_000_000_000
FIRST_TWIN_ID = FIRST_CONTACT_ID + 900_000_000
"""Of records that somebody has entered again."""
FIRST_COMPANY_ID = 310_000_000_000

OWNERS = (
    ("81000001", "Katharina", "Vogt"),
    ("81000002", "Tobias", "Lindner"),
    ("81000003", "Emily", "Harper"),
    ("81000004", "Jonas", "Weber"),
)

COUNTRIES = {
    "DE": "Germany",
    "AT": "Austria",
    "CH": "Switzerland",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "US": "United States",
    "NL": "Netherlands",
}

FUNNEL = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity")
DEAL_STAGES = (
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "decisionmakerboughtin",
    "contractsent",
    "closedwon",
)

CALLS = (
    "Call: wants an offer for {n} people.",
    "Telefonat: Interesse an einem Probierpaket für {n} Personen.",
    "Met at the fair; asked for the price list.",
    "Rückruf vereinbart, entscheidet bis Monatsende.",
)


OFFERS = 0.08
"""Of the visits of a lead, how many are followed by a request for an offer."""
OFFERED = ((900, 2_400, 4_900, 5_000, 12_000), (1_500, 6_500, 18_000))
"""Budgets that are named in the last hours before the world's present: by subscribers, and by leads."""

QUESTIONS = (
    ("DELIVERY_ISSUE", "Wo bleibt mein Paket?"),
    ("DELIVERY_ISSUE", "Parcel arrived damaged"),
    ("PRODUCT_ISSUE", "Der Tee schmeckt anders als sonst"),
    ("PRODUCT_ISSUE", "Grinder does not fit the lid"),
    ("BILLING_ISSUE", "Rechnung mit Firmenanschrift"),
    ("GENERAL_INQUIRY", "Which tea has no caffeine?"),
)
"""What the service is asked: category and subject."""


def set_up(db: Any, opened_at: Any) -> None:
    """The people of the sales team, and the contact properties that they have added."""
    db.executemany(
        "insert into crm_property values ('contacts', ?, ?, ?, ?)",
        [
            (name, name, type, "date" if type == "date" else "text")
            for name, type in profile.OWN_PROPERTIES.items()
        ],
    )
    for owner_id, first, last in OWNERS:
        properties = {"email": f"{first}.{last}@team.example".lower(), "firstname": first, "lastname": last}
        crm.put(db, "owners", owner_id, properties, opened_at, opened_at)


def become_lead(entry: Entry) -> None:
    """Somebody from a company leaves their address for a download."""
    person, rng = entry.person, entry.rng
    _put_contact(entry, "lead")
    entry.data["new"] = person.crm_id
    read(entry)
    if rng.random() < 0.25 + 0.6 * person.warmth:
        entry.some_day("qualify", rng.uniform(2, 25), step=1)
    else:
        entry.some_day("cool_down", rng.uniform(40, 120))
    if rng.random() < 0.07:
        entry.some_day("enter_twice", rng.uniform(3, 40))


def join_crm(entry: Entry) -> None:
    """A shop customer is also entered in the CRM, as one."""
    if entry.person.crm_id is None:
        _put_contact(entry, "customer" if entry.person.purchases else "subscriber")
        if entry.rng.random() < 0.15:
            _note(entry, entry.person.crm_id, "Question about an order, answered.")


def _put_contact(entry: Entry, stage: str) -> None:
    person, rng = entry.person, entry.rng
    person.crm_id = FIRST_CONTACT_ID + person.id
    owner = rng.choice(OWNERS)[0]
    company_id = _company(entry) if person.company is not None else None
    crm.put(
        entry.db,
        "contacts",
        person.crm_id,
        {
            "email": person.email,
            "firstname": person.first_name,
            "lastname": person.last_name,
            "phone": person.phone,
            "jobtitle": person.job,
            "company": _company_name(person.company) if person.company is not None else None,
            "associatedcompanyid": company_id,
            "city": person.city,
            "country": COUNTRIES[person.country],
            "hs_language": person.language,
            "lifecyclestage": stage,
            "hs_lead_status": "NEW" if stage == "lead" else None,
            "hubspot_owner_id": owner,
            "hs_email_optout": True if rng.random() < 0.03 else None,
            **profile.crm_properties(person, rng),
        },
        entry.at,
        entry.at,
    )
    if company_id is not None:
        crm.associate(entry.db, "contacts", person.crm_id, "companies", company_id)


def _company_name(number: int) -> str:
    rng = random.Random(f"company:{number}")
    kind = rng.choice(("Hotel", "Café", "Kanzlei", "Studio", "Gasthaus", "Offices", "Bakery", "Praxis"))
    name = rng.choice(
        ("Alster", "Linden", "Harbour", "Nordstern", "Sonnenhof", "Park", "Brücken", "Mill", "König", "Abbey")
    )
    return f"{kind} {name} {number}"


def _company(entry: Entry) -> int:
    """The person's company; colleagues of one company share its record."""
    number = entry.person.company or 0
    company_id = FIRST_COMPANY_ID + number
    if crm.find(entry.db, "companies", company_id) is None:
        rng = random.Random(f"company:{number}:facts")
        crm.put(
            entry.db,
            "companies",
            company_id,
            {
                "name": _company_name(number),
                "domain": f"firma{number}.example",
                "industry": rng.choice(INDUSTRIES),
                "numberofemployees": round(rng.lognormvariate(3.3, 1.2)) + 1,
                "city": entry.person.city,
                "country": entry.person.country,
            },
            entry.at,
            entry.at,
        )
    return company_id


def read(entry: Entry) -> None:
    """A lead looks at the site and downloads something; warm ones come back often, and for prices."""
    person, rng, sim = entry.person, entry.rng, entry.sim
    if person.asleep:
        return
    content = reading.choose(person, rng)
    url = site_url(f"/magazine/{content.id}")
    at = entry.at
    came_by = traffic.origin(person, rng, is_first=person.crm_id == entry.data.get("new"))
    for path in rng.choices(("/business", "/magazine"), k=rng.randint(0, 3)):
        stay = rng.randrange(20, 200)
        sim.site(person, at, "page_view", site_url(path), seconds_on_page=stay, **came_by)
        at += timedelta(seconds=stay)
        came_by = {}
    details = {"content_id": content.id, "topic": content.topic}
    stay = rng.randrange(30, 400)
    sim.site(person, at, "page_view", url, seconds_on_page=stay, **details, **came_by)
    at += timedelta(seconds=stay)
    reading.hand_over(entry, content, at, reading.form_answers(person, rng))
    if rng.random() < OFFERS:
        entry.some_day("ask_offer", rng.uniform(0, 20))
    _note(entry, person.crm_id, f"Form submission: {content.title}")
    if rng.random() < 0.25 + 0.6 * person.warmth:
        entry.some_day("read", rng.expovariate(1 / (30 - 22 * person.warmth)))


def qualify(entry: Entry) -> None:
    """One step down the funnel; the last one opens a deal."""
    person, rng = entry.person, entry.rng
    step = entry.data["step"]
    if person.asleep:
        return
    stage = FUNNEL[step]
    status = {1: "OPEN", 2: "IN_PROGRESS", 3: "OPEN_DEAL"}[step]
    changes = {"lifecyclestage": stage, "hs_lead_status": status}
    _update(entry, person.crm_id, changes | profile.noted_bant(person, rng, step))
    if step > 1 or rng.random() < 0.4:
        _note(entry, person.crm_id, rng.choice(CALLS).format(n=rng.randrange(8, 160)))
    if stage == "opportunity":
        open_deal(entry)
    elif rng.random() < 0.35 + 0.5 * person.warmth:
        entry.some_day("qualify", rng.uniform(4, 30), step=step + 1)
    else:
        entry.some_day("cool_down", rng.uniform(30, 90))


def open_deal(entry: Entry) -> None:
    person, rng = entry.person, entry.rng
    deal_id = entry.sim.next_id("deal", 410_000_000_001)
    subject = rng.choice(("first order", "yearly supply", "gifts"))
    properties = {
        "dealname": f"{_company_name(person.company or 0)}: {subject}",
        "dealstage": DEAL_STAGES[0],
        "pipeline": "default",
        "amount": f"{rng.lognormvariate(7.3, 0.7):.2f}",
        "deal_currency_code": "EUR",
        "closedate": iso(entry.at + timedelta(days=rng.randrange(20, 75))),
        "hubspot_owner_id": rng.choice(OWNERS)[0],
    }
    crm.put(entry.db, "deals", deal_id, properties, entry.at, entry.at)
    crm.associate(entry.db, "deals", deal_id, "contacts", person.crm_id or 0)
    if person.company is not None:
        crm.associate(entry.db, "deals", deal_id, "companies", FIRST_COMPANY_ID + person.company)
    entry.some_day("move_deal", rng.uniform(3, 14), deal=deal_id, stage=1)


def move_deal(entry: Entry) -> None:
    """The deal goes one stage on, or is lost."""
    rng, deal_id, stage = entry.rng, entry.data["deal"], entry.data["stage"]
    record = crm.find(entry.db, "deals", deal_id)
    if record is None:
        return
    lost = rng.random() < 0.13
    changes: dict[str, Any] = {"dealstage": "closedlost" if lost else DEAL_STAGES[stage]}
    if lost or stage == len(DEAL_STAGES) - 1:
        changes["closedate"] = iso(entry.at)
    crm.update(entry.db, "deals", record, changes, crm.milliseconds(entry.at))
    if lost:
        _update(entry, entry.person.crm_id, {"hs_lead_status": "UNQUALIFIED"})
        entry.person.asleep = rng.random() < 0.5
    elif stage == len(DEAL_STAGES) - 1:
        _update(entry, entry.person.crm_id, {"lifecyclestage": "customer", "hs_lead_status": "CONNECTED"})
    else:
        entry.some_day("move_deal", rng.uniform(3, 18), deal=deal_id, stage=stage + 1)


def cool_down(entry: Entry) -> None:
    """Nobody could reach them any more. Some are a plain lead again, and a few of those come back."""
    rng, crm_id = entry.rng, entry.person.crm_id
    entry.person.asleep = True
    _update(entry, crm_id, {"hs_lead_status": "ATTEMPTED_TO_CONTACT"})
    if rng.random() < 0.4:
        # HubSpot takes a step back only where the stage was cleared before.
        _update(entry, crm_id, {"lifecyclestage": ""})
        _update(entry, crm_id, {"lifecyclestage": "lead"})
        if rng.random() < 0.5:
            entry.some_day("come_back", rng.uniform(10, 50))


def come_back(entry: Entry) -> None:
    """A lead that had cooled down is interested again."""
    entry.person.asleep = False
    read(entry)
    entry.some_day("qualify", entry.rng.uniform(2, 15), step=1)


def ask_service(entry: Entry) -> None:
    """A customer asks the service something: a ticket, closed some hours or days later."""
    person, rng = entry.person, entry.rng
    if person.crm_id is None:
        _put_contact(entry, "customer" if person.purchases else "subscriber")
    ticket = entry.sim.next_id("ticket", 610_000_000_001)
    category, subject = rng.choice(QUESTIONS)
    properties = {
        "subject": subject,
        "content": "",
        "hs_pipeline": "0",
        "hs_pipeline_stage": "1",
        "hs_ticket_category": category,
        "hs_ticket_priority": rng.choice(("LOW", "MEDIUM", "HIGH")),
        "source_type": rng.choice(("EMAIL", "EMAIL", "FORM", "PHONE", "CHAT")),
        "hubspot_owner_id": rng.choice(OWNERS)[0],
    }
    crm.put(entry.db, "tickets", ticket, properties, entry.at, entry.at)
    crm.associate(entry.db, "tickets", ticket, "contacts", person.crm_id or 0)
    hours = entry.data.get("hours") or rng.gammavariate(2, 14)
    entry.later("close_ticket", timedelta(hours=hours), ticket=ticket)


def close_ticket(entry: Entry) -> None:
    """The question is answered; some customers say how that was."""
    record = crm.find(entry.db, "tickets", entry.data["ticket"])
    if record is None or record["archived_at"] is not None:
        return
    changes = {"hs_pipeline_stage": "4", "closed_date": iso(entry.at)}
    crm.update(entry.db, "tickets", record, changes, crm.milliseconds(entry.at))


def ask_offers(entry: Entry) -> None:
    """Makes some people of the CRM ask for an offer now, some of them subscribers."""
    known = "select o.id from crm_object o %s where o.kind = 'contacts' and o.archived_at is null"
    known += f" and o.id < {FIRST_TWIN_ID}"
    order = " order by (o.id * 7907) % 10007, o.id limit ?"
    subscribers = known % "join shop_customers c on c.email = o.email and c.marketing_state = 'SUBSCRIBED'"
    leads = known % "" + " and json_extract(o.properties, '$.lifecyclestage') like '%lead'"
    for query, budgets in zip((subscribers, leads), OFFERED, strict=True):
        people = entry.db.execute(query + order, (len(budgets),)).fetchall()
        for row, budget in zip(people, budgets, strict=False):
            person_id = row["id"] - FIRST_CONTACT_ID
            entry.sim.schedule("ask_offer", entry.at, person_id, budget=budget)


def praise(entry: Entry) -> None:
    """The sales team has read how happy a customer is."""
    record = crm.find(entry.db, "contacts", entry.person.crm_id or 0)
    if record is not None and crm.stored_properties(record).get("lifecyclestage") == "customer":
        _update(entry, entry.person.crm_id, {"lifecyclestage": "evangelist"})


def enter_twice(entry: Entry) -> None:
    """A colleague enters somebody again, with a private address; most such pairs are merged one day."""
    person, rng = entry.person, entry.rng
    if person.crm_id is None:
        return
    other = second_address(person, entry.sim.taken)
    entry.sim.taken.take(other, person.id)
    twin = FIRST_TWIN_ID + person.id
    properties = {
        "email": other,
        "firstname": person.first_name,
        "lastname": person.last_name,
        "lifecyclestage": "lead",
        "hs_language": person.language,
        "hubspot_owner_id": rng.choice(OWNERS)[0],
    }
    crm.put(entry.db, "contacts", twin, properties, entry.at, entry.at)
    _note(entry, twin, "Visitenkarte von der Messe.")
    if rng.random() < 0.7:
        entry.some_day("merge", rng.uniform(2, 60), twin=twin)


def merge(entry: Entry) -> None:
    """Two records of one person become one."""
    twin, own = entry.data["twin"], entry.person.crm_id
    if own is None or not _is_alive(entry, own) or not _is_alive(entry, twin):
        return  # somebody has archived or merged one of them through the API
    crm.merge(entry.db, own, twin, entry.at)


def _is_alive(entry: Entry, contact_id: int) -> bool:
    record = crm.find(entry.db, "contacts", contact_id)
    return record is not None and record["id"] == contact_id and record["archived_at"] is None


def _update(entry: Entry, contact_id: int | None, changes: dict[str, Any]) -> None:
    record = crm.find(entry.db, "contacts", contact_id or 0)
    if record is not None and record["archived_at"] is None:
        crm.update(entry.db, "contacts", record, changes, crm.milliseconds(entry.at))


def _note(entry: Entry, contact_id: int | None, body: str) -> None:
    note_id = entry.sim.next_id("note", 510_000_000_001)
    properties = {
        "hs_timestamp": iso(entry.at),
        "hs_note_body": body,
        "hubspot_owner_id": entry.rng.choice(OWNERS)[0],
    }
    crm.put(entry.db, "notes", note_id, properties, entry.at, entry.at)
    crm.associate(entry.db, "notes", note_id, "contacts", contact_id or 0)


HANDLERS = {
    "read": read,
    "qualify": qualify,
    "move_deal": move_deal,
    "cool_down": cool_down,
    "come_back": come_back,
    "ask_offers": ask_offers,
    "ask_service": ask_service,
    "close_ticket": close_ticket,
    "praise": praise,
    "enter_twice": enter_twice,
    "merge": merge,
}
