"""Tables in Markdown, and numbers as they stand in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

__all__ = ["digits", "filled", "span", "table"]


def filled(text: str, name: str, figures: str) -> str:
    """The text with these figures between <!-- NAME --> and <!-- end -->, in its one place."""
    begin, end = f"<!-- {name} -->", "<!-- end -->"
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    new, count = re.subn(pattern, lambda _: f"{begin}{figures}{end}", text, flags=re.DOTALL)
    if count != 1:
        raise LookupError(f"there are {count} places {begin}: expected one")
    return new


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """The first `texts` columns are words and stand to the left, the others to the right."""
    rules = ["---" if place < texts else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rules, *rows))


def digits(x: float, count: int = 3) -> str:
    """So many significant digits and no exponent; "inf" and "nan" as they are."""
    if not x or not math.isfinite(x):
        return f"{x:g}"
    places = count - 1 - math.floor(math.log10(abs(x)))
    rounded = round(x, places)
    # 0.0996 with two digits is 0.10
    places = count - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(places, 0)}f}"


def span(values: Iterable[float], count: int = 2) -> str:
    """From the least to the largest, "1.5 to 2.8"; one number where they look alike."""
    known = list(values)
    low, high = digits(min(known), count), digits(max(known), count)
    return low if low == high else f"{low} to {high}"
