"""The pages readers see: plain, without scripts, in the language of the mail."""

from __future__ import annotations

from html import escape

from fastapi import Request
from fastapi.responses import HTMLResponse

_TEXTS = {
    "de": {
        "ask_title": "Keine Werbung mehr erhalten?",
        "ask": "Ein Klick genügt. Danach schicken wir Ihnen keine {channel} mehr mit Werbung.",
        "button": "Abmelden",
        "everything": "Von allem abmelden",
        "email": "E-Mails",
        "sms": "SMS",
        "push": "Mitteilungen",
        "other": "Nachrichten",
        "done_title": "Sie sind abgemeldet",
        "all_done_title": "Sie sind abgemeldet",
        "done": "Wir schicken Ihnen keine {channel} mehr mit Werbung. Sie müssen nichts weiter tun.",
        "all_done": "Wir schreiben Ihnen keine Werbung mehr, auf keinem Weg. Sie müssen nichts weiter tun.",
        "confirm_title": "Ist das Ihre Adresse?",
        "confirm": "Mit einem Klick bestätigen Sie sie und sind einverstanden, dass wir Ihnen E-Mails "
        "schicken. Das können Sie jederzeit widerrufen, in jeder E-Mail.",
        "confirm_button": "Ja, bestätigen",
        "confirmed_title": "Danke, das war alles",
        "confirmed": "Ihre Adresse ist bestätigt. Was Sie angefordert haben, kommt gleich per E-Mail.",
        "expired_title": "Dieser Link gilt nicht mehr",
        "expired": "Er war dreißig Tage lang gültig. Bitte melden Sie sich auf unserer Seite noch einmal an, "
        "dann schicken wir Ihnen einen neuen.",
        "missing_title": "Diese Seite gibt es nicht",
        "missing": "Der Link ist unvollständig oder nicht mehr gültig. "
        "Bitte öffnen Sie ihn noch einmal direkt aus der E-Mail.",
    },
    "en": {
        "ask_title": "No more advertising from us?",
        "ask": "One click is enough. After that we will send you no more {channel} with advertising.",
        "button": "Unsubscribe",
        "everything": "Unsubscribe from everything",
        "email": "mails",
        "sms": "texts",
        "push": "notifications",
        "other": "messages",
        "done_title": "You are unsubscribed",
        "all_done_title": "You are unsubscribed",
        "done": "We will send you no more {channel} with advertising. There is nothing else you need to do.",
        "all_done": "We will send you no more advertising of any kind. There is nothing else you need to do.",
        "confirm_title": "Is this your address?",
        "confirm": "One click confirms it, and says that you are happy for us to send you mails. "
        "You can change your mind at any time, in every mail.",
        "confirm_button": "Yes, confirm",
        "confirmed_title": "Thank you, that was all",
        "confirmed": "Your address is confirmed. What you asked for is on its way by mail.",
        "expired_title": "This link has expired",
        "expired": "It was valid for thirty days. Please sign up on our site again, and we will send you "
        "a new one.",
        "missing_title": "There is no such page",
        "missing": "The link is incomplete or no longer valid. Please open it again from the mail itself.",
    },
}

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
  body {{ margin: 0; background: #f2efe9; color: #2b3a35;
         font: 18px/1.6 -apple-system, BlinkMacSystemFont, "Segoe UI", Helvetica, Arial, sans-serif; }}
  main {{ max-width: 30rem; margin: 12vh auto 2rem; padding: 2.5rem; background: #fff;
         border-top: 6px solid #1d5c4a; border-radius: 10px; }}
  h1 {{ margin: 0 0 1rem; font: 400 1.8rem/1.25 Georgia, serif; color: #14372d; }}
  p {{ margin: 0 0 1.5rem; }}
  button {{ padding: .8rem 2rem; border: 0; border-radius: 6px; background: #1d5c4a; color: #fff;
           font: inherit; font-weight: 600; cursor: pointer; }}
  button {{ margin: 0 .5rem .5rem 0; }}
  .quiet {{ background: none; color: #1d5c4a; font-weight: 400; text-decoration: underline; }}
  button:focus-visible {{ outline: 3px solid #a8662d; outline-offset: 3px; }}
  @media (max-width: 34rem) {{ main {{ margin: 0; border-radius: 0; min-height: 70vh; }} }}
</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body>
</html>
"""


def ask(language: str, channel: str = "email") -> str:
    """The page that asks, with buttons that post to its own address: this channel, or everything."""
    texts = _texts(language)
    button, everything = escape(texts["button"]), escape(texts["everything"])
    form = (
        f'<form method="post"><button type="submit">{button}</button> '
        f'<button type="submit" class="quiet" name="scope" value="all">{everything}</button></form>'
    )
    return _page(language, "ask", form, channel)


def done(language: str, channel: str | None) -> str:
    """The page after the objection to a channel; None: to everything."""
    return _page(language, "done", "", channel) if channel else _page(language, "all_done")


def ask_to_confirm(language: str) -> str:
    """The page that asks for a consent, with a button that posts to its own address."""
    button = escape(_texts(language)["confirm_button"])
    return _page(language, "confirm", f'<form method="post"><button type="submit">{button}</button></form>')


def confirmed(language: str) -> str:
    """The page after the consent."""
    return _page(language, "confirmed")


def expired(language: str) -> str:
    """The page for a confirmation that comes too late."""
    return _page(language, "expired")


def missing(language: str) -> str:
    """The page for a link that is not ours."""
    return _page(language, "missing")


def not_ours(request: Request) -> HTMLResponse:
    """The answer to a link that is not ours."""
    return HTMLResponse(missing(preferred(request.headers.get("Accept-Language", ""))), 404)


def preferred(accept_language: str) -> str:
    """The page's language from a browser's wish: German if it comes before English."""
    wished = [part.split(";")[0].strip().lower()[:2] for part in accept_language.split(",")]
    return next((language for language in wished if language in _TEXTS), "en")


def _page(language: str, name: str, form: str = "", channel: str = "") -> str:
    texts = _texts(language)
    sent = texts.get(channel, texts["other"])
    title, text = escape(texts[f"{name}_title"]), escape(texts[name].format(channel=sent))
    return _PAGE.format(language=language, title=title, text=text, form=form)


def _texts(language: str) -> dict[str, str]:
    return _TEXTS.get(language, _TEXTS["en"])
