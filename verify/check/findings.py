r"""What a check found: the verdict, over which range, what is wrong, what was assumed.

| verdict | means |
|---|---|
| equal | value and gradient are right on all that was tried |
| equal-up-to-constant | off by what depends on the labels alone: training is the same |
| equal-up-to-scale | a positive multiple of the value, or of the scores |
| hard-labels-only | right for labels 0 and 1, wrong between |
| limited-range | right only where `range` says |
| value-wrong | the gradient is right, the value is not, or not each time |
| gradient-wrong | the value is right, the gradient is not |
| different | another function |
| does-not-run | it cannot be called, or did not end |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

__all__ = ["UNIT", "VERDICTS", "Finding", "Findings"]

VERDICTS = {
    "equal": "equal",
    "equal-up-to-constant": "equal up to a constant",
    "equal-up-to-scale": "equal up to a scale",
    "hard-labels-only": "equal for hard labels only",
    "limited-range": "equal only in a stated range",
    "value-wrong": "gradient right, value wrong",
    "gradient-wrong": "value right, gradient wrong",
    "different": "a different function",
    "does-not-run": "does not run",
}


UNIT = "ulp of max(1, |loss|, |s|)"
"""What errors of values are counted in: spacings of the dtype at the largest number at work."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the smallest input that shows it.

    what: value, gradient or call.  kind: the class of the input.  dtypes: those that show it.
    severity: failure, or note for what does not change the verdict.
    """

    what: str
    kind: str
    dtypes: tuple[str, ...]
    words: str
    scores: Sequence[Any] = ()
    labels: Sequence[Any] = ()
    got: str = ""
    expected: str = ""
    ulps: float | None = None
    claim: str = ""
    cause: str = ""
    why: str = ""
    cure: str = ""
    severity: str = "failure"


@dataclass(frozen=True)
class Findings:
    """The outcome of a check.

    ulps: the largest error of the value where it is right, by dtype, in the `unit`.
    """

    target: str
    against: str
    verdict: str
    range: str
    findings: tuple[Finding, ...] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)
    reproducer: str = ""
    detail: str = ""
    nearest: str = ""
    causes: tuple[str, ...] = ()
    ulps: Mapping[str, float] = field(default_factory=dict)
    unit: str = UNIT
    rows: int = 0
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether the verdict is `equal`."""
        return self.verdict == "equal"

    @property
    def equality(self) -> str:
        """What `equal` means here: to how many ulps of what, and over which rows; '' if it is not.

        >>> Findings("f", "zlpr", "equal", "float64: all", ulps={"float64": 0.98}).equality
        'equal, to 0.98 ulp of max(1, |loss|, |s|), over float64: all'
        """
        if not self.equal:
            return ""
        worst = max(self.ulps.values(), default=0.0)
        return f"equal, to {worst:g} {self.unit}, over {self.range}"

    @property
    def cause(self) -> str:
        """The likeliest cause of what is wrong, '' where none is known."""
        return self.causes[0] if self.causes else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: numbers that JSON lacks as text."""
        data: dict[str, Any] = _plain(asdict(self))
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `as_dict` was made of."""
        findings = tuple(
            Finding(
                **{
                    **one,
                    "dtypes": tuple(one["dtypes"]),
                    "ulps": _number(one["ulps"]),
                    "scores": _numbers(one["scores"]),
                    "labels": _numbers(one["labels"]),
                }
            )
            for one in data["findings"]
        )
        ulps = {name: _number(x) or 0.0 for name, x in data["ulps"].items()}
        own = {**data, "findings": findings, "causes": tuple(data["causes"]), "ulps": ulps}
        return cls(**own)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(x) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value


def _numbers(rows: Any) -> Any:
    return [_numbers(x) for x in rows] if isinstance(rows, list) else float(rows)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
