r"""What a check says: what it found (`verify.check.findings`), to print, to test for, to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.check.findings import Findings
from verify.check.show import as_text

__all__ = ["Mismatch", "Result"]


class Mismatch(AssertionError):
    """The target is not the loss it is held against."""


@dataclass(frozen=True)
class Result(Findings):
    """The outcome of a check; its text is the report.  Only `assert_matches` raises anything."""

    def matches(self, allow: Sequence[str] = ()) -> bool:
        """Whether the verdict is `equal` or one of those allowed."""
        return self.verdict == "equal" or self.verdict in allow

    def assert_matches(self, allow: Sequence[str] = ()) -> None:
        """Mismatch, with the whole report as its text, unless it matches."""
        if not self.matches(allow):
            raise Mismatch(as_text(self))

    def __str__(self) -> str:
        return as_text(self)
