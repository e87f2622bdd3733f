"""Product pictures, drawn when asked for: a tile in the category's colour with the product's own pattern.

PNG, because mail programs do not show SVG.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib

SIZE = 300
PALETTE = ("2f6f4e", "8a5a2b", "1f5f8b", "7a3e65", "a8662d", "46506a", "5b7f2b", "9a3b3b")


@functools.lru_cache(maxsize=512)
def product(title: str, product_type: str, number: int) -> bytes:
    """A PNG of 300 x 300 pixels: the category gives the colour, the product the pattern."""
    colour = bytes.fromhex(PALETTE[hashlib.sha256(product_type.encode()).digest()[0] % len(PALETTE)])
    light = bytes(min(255, part + 70) for part in colour)
    pale = bytes(min(255, part + 120) for part in colour)
    cells = hashlib.sha256(f"{number}:{title}".encode()).digest()
    rows = []
    for y in range(SIZE):
        row = bytearray(b"\x00")
        for x in range(SIZE):
            row += _pixel(x, y, cells, colour, light, pale)
        rows.append(bytes(row))
    return _png(b"".join(rows))


def _pixel(x: int, y: int, cells: bytes, colour: bytes, light: bytes, pale: bytes) -> bytes:
    """A five by five pattern, mirrored left to right, inside a margin."""
    column, line = (x - 50) // 40, (y - 50) // 40
    if not (0 <= column < 5 and 0 <= line < 5):
        return colour
    value = cells[line * 3 + min(column, 4 - column)]
    return pale if value > 190 else light if value > 90 else colour


def _png(raw: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
