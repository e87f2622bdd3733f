"""How a person is addressed: rightly, or neutrally, never wrongly."""

from __future__ import annotations

import re

_FORMAL = {"Frau": "Liebe Frau", "Herr": "Lieber Herr"}
_NEUTRAL = {"de": "Guten Tag", "en": "Hello"}
_NAME = re.compile(r"^[^\W\d_]+(?:[ '’.-]{1,2}[^\W\d_]+)*\.?$")
"""Letters of any script, with spaces, hyphens, dots and apostrophes between them."""

_NOT_A_NAME = frozenset(
    {"test", "none", "null", "n/a", "na", "unknown", "unbekannt", "guest", "gast", "kunde", "customer"}
)


def greeting(language: str, salutation: str | None, first_name: str | None, last_name: str | None) -> str:
    """The line that opens a mail, without a comma: "Liebe Frau Yılmaz", "Hello Ada", "Guten Tag".

    German: the salutation with the last name; without a known salutation "Guten Tag" with the full
    name. English: the first name. What does not look like a name is left out.
    """
    first, last = _name(first_name), _name(last_name)
    neutral = _NEUTRAL.get(language, _NEUTRAL["en"])
    if language == "de":
        if salutation in _FORMAL and last:
            return f"{_FORMAL[salutation]} {last}"
        return f"{neutral} {first} {last}" if first and last else neutral
    return f"{neutral} {first}" if first else neutral


def _name(given: str | None) -> str | None:
    """The name as the person writes it; what is all small or all capitals is set as a name."""
    name = " ".join((given or "").split())
    if len(name) < 2 or len(name) > 60 or not _NAME.match(name) or name.lower() in _NOT_A_NAME:
        return None
    if name.islower() or name.isupper():
        return name.title()
    return name
