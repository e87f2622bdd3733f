"""How many messages a text is to the phone network, which counts and bills each.

The alphabet is GSM 03.38 with its extension table (3GPP TS 23.038, 6.2.1): 160 characters in one
message, 153 in each of several; a text with any other character is UCS-2: 70, and 67.
"""

from __future__ import annotations

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€\f")
"""These take two places each."""


@dataclass(frozen=True)
class Segments:
    """`foreign`: the characters that make the text UCS-2."""

    count: int
    encoding: str
    foreign: tuple[str, ...] = ()


def segments(text: str) -> Segments:
    """The number of messages and their encoding. A character outside of the BMP counts twice in UCS-2."""
    foreign = tuple(dict.fromkeys(char for char in text if char not in _BASIC and char not in _EXTENSION))
    if foreign:
        return Segments(_parts(len(text.encode("utf-16-le")) // 2, 70, 67), "UCS-2", foreign)
    return Segments(_parts(len(text) + sum(char in _EXTENSION for char in text), 160, 153), "GSM-7")


def _parts(length: int, alone: int, each: int) -> int:
    return 1 if length <= alone else -(-length // each)
