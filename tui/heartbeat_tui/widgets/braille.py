"""A canvas of braille dots, two by four in each cell, with a kind of ink for each cell."""

from __future__ import annotations

BLANK = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # [row][column] within a cell

Run = tuple[str, str]  # text, kind of ink


class Canvas:
    """Dots and characters on ``width`` × ``height`` cells; characters lie above dots."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.dots = [bytearray(width) for _ in range(height)]
        self.characters: list[dict[int, tuple[str, str]]] = [{} for _ in range(height)]

    def bar(self, x: int, top: int, bottom: int) -> None:
        """Set the dots of column ``x`` from row ``top`` down to ``bottom``, both included."""
        cell, bit = x >> 1, x & 1
        if 0 <= cell < self.width:
            for y in range(max(0, top), min(bottom, 4 * self.height - 1) + 1):
                self.dots[y >> 2][cell] |= DOTS[y & 3][bit]

    def put(self, x: int, y: int, character: str, kind: str) -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            self.characters[y][x] = (character, kind)

    def lift(self, x: int, y: int) -> None:
        """Take a character away, so that the dots below it are seen."""
        if 0 <= y < self.height:
            self.characters[y].pop(x, None)

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
