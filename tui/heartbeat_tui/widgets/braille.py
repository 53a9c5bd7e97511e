"""A canvas of braille dots, two by four in each cell, with a kind of ink for each cell."""

from __future__ import annotations

BLANK = 0x2800
# Dots of the left and the right column of a cell: from a row down to the last, and from the first down to a row.
DOWN_FROM = ((0x47, 0x46, 0x44, 0x40), (0xB8, 0xB0, 0xA0, 0x80))
DOWN_TO = ((0x01, 0x03, 0x07, 0x47), (0x08, 0x18, 0x38, 0xB8))

Run = tuple[str, str]  # text, kind of ink


class Canvas:
    """Dots and characters on ``width`` × ``height`` cells; characters lie above dots."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.dots = [bytearray(width) for _ in range(height)]
        self.characters: list[dict[int, tuple[str, str]]] = [{} for _ in range(height)]

    def bar(self, x: int, top: int, bottom: int) -> None:
        """Set the dots of column ``x`` from row ``top`` down to ``bottom``, both included."""
        cell, side = x >> 1, x & 1
        top, bottom = max(0, top), min(bottom, 4 * self.height - 1)
        if top > bottom or not 0 <= cell < self.width:
            return
        first, last = top >> 2, bottom >> 2
        for y in range(first, last + 1):
            dots = DOWN_FROM[side][top & 3 if y == first else 0] & DOWN_TO[side][bottom & 3 if y == last else 3]
            self.dots[y][cell] |= dots

    def put(self, x: int, y: int, character: str, kind: str) -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            self.characters[y][x] = (character, kind)

    def row(self, y: int, ink: str) -> list[Run]:
        """Give one row of cells as runs of one kind; dots are of the kind ``ink``."""
        runs: list[Run] = []
        characters, dots = self.characters[y], self.dots[y]
        for x in range(self.width):
            if x in characters:
                text, kind = characters[x]
            else:
                text, kind = (chr(BLANK + dots[x]), ink) if dots[x] else (" ", ink)
            if runs and runs[-1][1] == kind:
                runs[-1] = (runs[-1][0] + text, kind)
            else:
                runs.append((text, kind))
        return runs
