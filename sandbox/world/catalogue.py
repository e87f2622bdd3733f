"""What the shop sells and what its site offers to read: tea, coffee and what belongs to them."""

from __future__ import annotations

import random
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.store import iso

FIRST_ID = 8_100_000_000_001


@dataclass(frozen=True)
class Category:
    """A product type. `consumable`: bought again when it is used up. `weight`: how often it is wanted."""

    name: str
    consumable: bool
    weight: int
    low: int
    high: int
    titles: tuple[str, ...]


CATEGORIES = (
    Category("Black tea", True, 16, 6, 16, (
        "Darjeeling First Flush", "Assam Mokalbari", "Ceylon Nuwara Eliya", "Earl Grey Blue",
        "English Breakfast", "Ostfriesenmischung", "Lapsang Souchong", "Keemun Mao Feng",
        "Yunnan Golden Tips", "Masala Chai",
    )),
    Category("Green tea", True, 14, 7, 24, (
        "Sencha Kagoshima", "Gyokuro Asahi", "Matcha Premium", "Genmaicha", "Hojicha", "Bancha",
        "Lung Ching", "Gunpowder Temple of Heaven", "Jasmine Dragon Pearls", "Kukicha",
    )),
    Category("Herbal tea", True, 14, 4, 9, (
        "Kamille", "Pfefferminze", "Rooibos Vanille", "Fenchel-Anis-Kümmel", "Lemon Verbena",
        "Hibiscus & Rose Hip", "Ingwer-Zitrone", "Salbei", "Abendruhe", "Alpenkräuter",
    )),
    Category("Coffee", True, 18, 8, 19, (
        "Espresso Milano", "Yirgacheffe Filter", "Sumatra Mandheling", "House Blend", "Decaf Mexico",
        "Kenya AA", "Colombia Huila", "Guatemala Antigua", "Brasil Santos", "Monsooned Malabar",
    )),
    Category("Sweets", True, 14, 3, 12, (
        "Butterspekulatius", "Dark Chocolate 70 %", "Kluntje Brown Sugar", "Shortbread Fingers",
        "Heather Honey", "Amarettini", "Lebkuchen Elisen", "Marzipan Bar", "Salted Caramels",
        "Quince Jelly",
    )),
    Category("Teaware", False, 10, 12, 69, (
        "Glass Teapot 1 l", "Cast Iron Teapot Arare", "Kyusu 300 ml", "Porcelain Cup Set",
        "Tea Strainer Fine", "Matcha Whisk Chasen", "Matcha Bowl", "Tea Tin Sakura 150 g",
        "Tea Warmer Oak", "Travel Infuser Flask",
    )),
    Category("Coffee gear", False, 9, 14, 189, (
        "Hand Grinder Steel", "Pour-Over Dripper V60", "French Press 0.8 l", "Moka Pot 6 Cups",
        "Milk Jug 350 ml", "Digital Scale 2 kg", "Gooseneck Kettle", "Filter Papers 100",
        "Espresso Cups, Set of 4", "Electric Grinder Pro",
    )),
    Category("Gifts", False, 7, 15, 79, (
        "Tasting Box Tea", "Tasting Box Coffee", "Advent Calendar Tea", "Gift Set Matcha",
        "Gift Set Sunday Morning", "Gift Card 25", "Gift Card 50", "Picnic Basket", "Cold Brew Kit",
        "Tea Ceremony for Two",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """Something to read or download. `persona`: whom it is for, None for all."""

    id: str
    title: str
    language: str
    phase: str
    persona: str | None
    appeal: str
    topic: str


CONTENTS = tuple(
    Content(*row)
    for row in (
        ("tee-fuer-einsteiger", "Tee für Einsteiger: fünf Sorten, die fast jeder mag",
         "de", "reach", None, "emotional", "tea"),
        ("matcha-zuhause", "Matcha zu Hause", "de", "reach", "connoisseur", "emotional", "tea"),
        ("teepause-im-team", "Die Teepause, auf die sich alle freuen",
         "de", "reach", "office_manager", "emotional", "business"),
        ("getraenkekarte-trends", "Was Gäste heute trinken: Zahlen für die Karte",
         "de", "reach", "hospitality", "rational", "business"),
        ("matcha-at-home", "Matcha at home", "en", "reach", "connoisseur", "emotional", "tea"),
        ("coffee-origins", "Where coffee grows: a journey in eight cups",
         "en", "reach", None, "emotional", "coffee"),
        ("gift-ideas", "Gifts that do not end up in a drawer",
         "en", "reach", "gift_giver", "emotional", "gifts"),
        ("zubereitung-tee", "Zubereitung: Wasser, Zeit, Temperatur",
         "de", "engage", "connoisseur", "rational", "tea"),
        ("espresso-grundlagen", "Espresso: die Grundlagen", "de", "engage", None, "rational", "coffee"),
        ("buero-kalkulation", "Tee und Kaffee im Büro: Kalkulationstabelle",
         "de", "engage", "office_manager", "rational", "business"),
        ("brewing-guide", "Brewing guide: water, time, temperature",
         "en", "engage", "connoisseur", "rational", "tea"),
        ("espresso-basics", "Espresso basics", "en", "engage", None, "rational", "coffee"),
        ("office-supply", "Tea and coffee for the office: calculation sheet",
         "en", "engage", "office_manager", "rational", "business"),
        ("preisliste-gastronomie", "Preisliste für Hotels und Cafés",
         "de", "activate", "hospitality", "rational", "business"),
        ("firmengeschenke-planer", "Planer für Firmengeschenke",
         "de", "activate", "gift_giver", "rational", "gifts"),
        ("probierpaket", "Das Probierpaket: so findet man seinen Tee",
         "de", "activate", None, "emotional", "tea"),
        ("hospitality-list", "Price list for hotels and cafés",
         "en", "activate", "hospitality", "rational", "business"),
        ("gift-planner", "Corporate gifts planner", "en", "activate", "gift_giver", "rational", "gifts"),
        ("guest-stories", "Three cafés and their guests",
         "en", "activate", "hospitality", "emotional", "business"),
        ("rezepte-jahreszeiten", "Tee durch das Jahr: Rezepte",
         "de", "loyalty", "connoisseur", "emotional", "tea"),
        ("wasserhaerte", "Wasserhärte: welcher Tee zu welchem Wasser passt",
         "de", "loyalty", None, "rational", "tea"),
        ("freunde-einladen", "Tee zu zweit: Freunde einladen", "de", "loyalty", None, "emotional", "tea"),
        ("seasonal-recipes", "Tea through the year: recipes",
         "en", "loyalty", "connoisseur", "emotional", "tea"),
        ("grinder-care", "Looking after a grinder", "en", "loyalty", None, "rational", "coffee"),
        ("barista-training", "A training plan for the team behind the bar",
         "en", "loyalty", "hospitality", "rational", "business"),
    )
)  # fmt: skip

COMPANIONS = {
    "Matcha Premium": "Matcha Whisk Chasen",
    "Matcha Whisk Chasen": "Matcha Bowl",
    "Pour-Over Dripper V60": "Filter Papers 100",
    "Glass Teapot 1 l": "Tea Strainer Fine",
    "Earl Grey Blue": "Shortbread Fingers",
    "Ostfriesenmischung": "Kluntje Brown Sugar",
    "Espresso Milano": "Amarettini",
    "Hand Grinder Steel": "Yirgacheffe Filter",
}
"""What is often bought with something, by title."""

SEARCHES = (
    "matcha",
    "darjeeling",
    "grinder",
    "geschenk",
    "decaf",
    "teekanne",
    "earl grey",
    "french press",
    "kännchen",
)

DISCOUNTS = {"WELCOME10": 10, "TEATIME15": 15, "COMEBACK20": 20}
"""Discount codes and their per cent."""


RATED = 0.67
"""The share of the products that people have rated."""


@dataclass(frozen=True)
class Product:
    """A product as people of the world know it."""

    id: int
    title: str
    sku: str
    price: Decimal
    category: Category
    in_stock: bool = True


def handle_of(title: str) -> str:
    """A title as part of a URL."""
    text = title.lower()
    for letter, plain in (
        ("ä", "ae"),
        ("ö", "oe"),
        ("ü", "ue"),
        ("ß", "ss"),
        ("é", "e"),
        ("%", "percent"),
        ("&", "and"),
    ):
        text = text.replace(letter, plain)
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


def write(db: sqlite3.Connection, seed: int, opened_at: datetime) -> None:
    """Put the products into the shop: one without a picture, one archived, one still a draft."""
    rng, chance = random.Random(f"{seed}:catalogue"), random.Random(f"{seed}:stock")
    number = FIRST_ID
    for category in CATEGORIES:
        for title in category.titles:
            price = Decimal(rng.randint(category.low * 10, category.high * 10) * 10 - 10) / 100
            created = opened_at + timedelta(minutes=rng.randrange(60 * 24 * 30))
            status = {"Advent Calendar Tea": "ARCHIVED", "Electric Grinder Pro": "DRAFT"}.get(title, "ACTIVE")
            handle = handle_of(title)
            db.execute(
                "insert into shop_products values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    title,
                    category.name,
                    rng.choice(("Hafenkontor", "Blatt & Bohne", "Nordlicht")),
                    status,
                    handle,
                    f"{title} from our {category.name.lower()} range.",
                    "consumable" if category.consumable else "durable",
                    None if title == "Filter Papers 100" else f"/cdn/{handle}.png",
                    str(price),
                    f"{category.name[:2].upper()}-{number % 1000:03d}",
                    iso(created),
                    iso(created + timedelta(days=rng.randrange(1, 30))),
                    chance.randrange(20, 400),
                    *_rating(chance),
                ),
            )
            number += 1


def _rating(chance: random.Random) -> tuple[str | None, int]:
    """The stars of a product and how many people gave them; a third has none yet."""
    if chance.random() < RATED:
        return f"{chance.triangular(3.2, 5.0, 4.6):.1f}", chance.randrange(3, 180)
    return None, 0


def read(db: sqlite3.Connection) -> list[Product]:
    """The products that people of the world can buy."""
    categories = {category.name: category for category in CATEGORIES}
    rows = db.execute("select * from shop_products where status = 'ACTIVE' order by id").fetchall()
    return [
        Product(
            r["id"],
            r["title"],
            r["sku"],
            Decimal(r["price"]),
            categories[r["product_type"]],
            r["inventory"] > 0,
        )
        for r in rows
        if r["product_type"] in categories
    ]
