"""Where visits come from, and what the ads cost that brought them."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.world.people import Person


@dataclass(frozen=True)
class Campaign:
    """An ad campaign: its name in the links, what a click costs in EUR, and its share of the visits."""

    platform: str
    name: str
    medium: str
    cost: float
    share: float
    for_leads: bool = False


CAMPAIGNS = (
    Campaign("google", "brand_search", "cpc", 0.18, 0.30),
    Campaign("google", "tea_generic", "cpc", 0.55, 0.30),
    Campaign("meta", "spring_tea", "social", 0.34, 0.22),
    Campaign("meta", "gift_season", "social", 0.41, 0.18),
    Campaign("linkedin", "office_coffee", "social", 2.90, 0.70, for_leads=True),
    Campaign("google", "business_tea", "cpc", 1.40, 0.30, for_leads=True),
)

FREE = (("google", "organic"), ("instagram", "social"), ("bing", "organic"))

COLUMNS = ("day", "platform", "campaign", "currency", "amount", "impressions", "clicks")


def origin(person: Person, rng: random.Random, is_first: bool) -> dict[str, Any]:
    """The utm fields of a visit's first page: newcomers often come by an ad, others mostly by themselves."""
    chance = rng.random()
    if chance < (0.45 if is_first else 0.08):
        campaigns = [one for one in CAMPAIGNS if one.for_leads == (person.role == "lead")]
        found = rng.choices(campaigns, [one.share for one in campaigns])[0]
        return {"utm_source": found.platform, "utm_medium": found.medium, "utm_campaign": found.name}
    if chance < (0.75 if is_first else 0.25):
        source, medium = rng.choice(FREE)
        return {"utm_source": source, "utm_medium": medium}
    return {}


def spend(seed: int, contacts: int, day: date) -> list[dict[str, Any]]:
    """What the platforms charged on a day; weekends are slow, and now and then a campaign pauses."""
    rows = []
    for campaign in CAMPAIGNS:
        rng = random.Random(f"{seed}:spend:{campaign.name}:{day}")
        level = 0.5 + contacts / 160 * campaign.share * (0.25 if campaign.for_leads else 1)
        clicks = round(level * rng.uniform(0.6, 1.4) * (0.7 if day.weekday() > 4 else 1))
        if clicks == 0 or rng.random() < 0.04:
            continue
        rows.append(
            {
                "day": day.isoformat(),
                "platform": campaign.platform,
                "campaign": campaign.name,
                "currency": "EUR",
                "amount": f"{clicks * campaign.cost * rng.uniform(0.85, 1.15):.2f}",
                "impressions": clicks * rng.randrange(25, 90),
                "clicks": clicks,
            }
        )
    return rows


def spend_file(seed: int, contacts: int, first: date, until: date) -> tuple[str, bytes] | None:
    """The CSV of all days from `first` to before `until`, and its name; None if nothing was spent."""
    days = [first + timedelta(days=number) for number in range((until - first).days)]
    rows = [row for day in days for row in spend(seed, contacts, day)]
    if not rows:
        return None
    return f"ad_spend/ad-spend-{first}-{days[-1]}.csv", as_csv(COLUMNS, rows, ",")


def as_csv(columns: tuple[str, ...], rows: list[dict[str, Any]], separator: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=separator, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
