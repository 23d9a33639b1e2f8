"""A derivation as text, LaTeX, Markdown and a notebook cell: the same steps in four dresses.

`trace` is what the last one shows, as plain data: it can be kept and sent to where there is no
algebra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from re import sub
from typing import Protocol

from sympy import Expr, Symbol

from derive import printing
from derive.decide import Proved, Refuted
from derive.facts import Facts
from derive.step import Relation, Step


class Shown(Protocol):
    """What is shown of a derivation (the derivation itself stands above this module)."""

    @property
    def id(self) -> str:
        """``loss.topic``."""

    @property
    def title(self) -> str:
        """What it is about."""

    @property
    def claims(self) -> tuple[str, ...]:
        """The ids of the statements it decides."""

    @property
    def facts(self) -> Facts:
        """What is assumed."""

    @property
    def names(self) -> tuple[tuple[Symbol, Expr], ...]:
        """Abbreviations."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The decided steps."""


# The letters on one line of an HTML rendering, both sides together: about 900 pixels.
MOST_ON_A_LINE = 80

_SIGNS = {
    "=": ("=", "="),
    ">": (">", ">"),
    ">=": ("≥", r"\ge"),
    "= 0  ==>  0 =": ("= 0  ⟹  0 =", r"= 0 \;\Longrightarrow\; 0 ="),
    "~": ("≈", r"\approx"),
}


def render(derivation: Shown, form: str = "text") -> str:
    """The derivation in one of the forms ``text``, ``latex``, ``markdown``."""
    forms: dict[str, Callable[[Shown], str]] = {
        "text": as_text,
        "latex": as_latex,
        "markdown": as_markdown,
    }
    if form not in forms:
        raise ValueError(f"no format is named {form!r}: choose one of {', '.join(forms)}")
    return forms[form](derivation)


def as_text(derivation: Shown) -> str:
    """Plain Unicode text, one formula a line."""
    lines = [f"{derivation.id}: {derivation.title}"]
    lines += [f"  claims  {', '.join(derivation.claims)}"] if derivation.claims else []
    lines += [f"  given   {fact}" for fact in derivation.facts.describe_text()]
    lines += [f"  where   {name} = {printing.text(value)}" for name, value in derivation.names]
    for number, (step, goes_on) in enumerate(_linked(derivation), start=1):
        lines += ["", *_text_of_step(number, step, goes_on, derivation)]
    return "\n".join([*lines, "", summary(derivation)])


def _linked(derivation: Shown) -> list[tuple[Step, bool]]:
    """Each step, and whether it starts where the one before it ended."""
    before = [None, *(step.right for step in derivation.steps)]
    return [(step, step.left == left) for step, left in zip(derivation.steps, before, strict=False)]


def _text_of_step(number: int, step: Step, goes_on: bool, derivation: Shown) -> list[str]:
    left, right = (printing.text(_named(side, derivation)) for side in (step.left, step.right))
    lines = [f"  {number}. {step.rule}"]
    lines += [] if goes_on else [f"       {left}"]
    lines.append(f"       {_SIGNS[step.relation.value][0]} {right}")
    if step.dropped is not None:
        lines.append(f"       dropped: {printing.text(_named(step.dropped, derivation))}")
    if step.reason is not None:
        part, other = (printing.text(_named(side, derivation)) for side in step.reason)
        lines.append(f"       since {part} = {other}")
    lines += [f"       note: {step.note}"] if step.note else []
    return [*lines, f"       [{step.decision}]"]


def as_latex(derivation: Shown) -> str:
    """An ``align*`` environment with the rule and the verdict beside each line."""
    rows = [rf"% {derivation.id}: {derivation.title}", r"\begin{align*}"]
    for step, goes_on in _linked(derivation):
        left, sign, right = _latex_of_step(step, derivation)
        rule = rf"\text{{{_escape_tex(step.rule)}}}"
        rows.append(rf"{'' if goes_on else left} &{sign} {right} && {rule} \\")
    return "\n".join([*rows, r"\end{align*}"])


def as_markdown(derivation: Shown) -> str:
    """Markdown with displayed formulas, as GitHub and Jupyter show it."""
    lines = [f"### {derivation.title} (`{derivation.id}`)", ""]
    lines += [f"Claims: {', '.join(f'`{claim}`' for claim in derivation.claims)}", ""]
    if not derivation.claims:
        lines = lines[:2]
    given = [f"${fact}$" for fact in derivation.facts.describe()]
    given += [f"${name} = {printing.latex(value)}$" for name, value in derivation.names]
    lines += [f"With {', '.join(given)}.", ""] if given else []
    for number, step in enumerate(derivation.steps, start=1):
        lines += _markdown_of_step(number, step, derivation)
    return "\n".join([*lines, f"*{summary(derivation)}*"])


def _markdown_of_step(number: int, step: Step, derivation: Shown) -> list[str]:
    left, sign, right = _latex_of_step(step, derivation)
    lines = [f"**{number}. {step.rule}** ({step.decision})", ""]
    lines += [f"$${left} {sign} {right}$$", ""]
    if step.dropped is not None:
        lines += [f"Dropped: ${printing.latex(_named(step.dropped, derivation))}$", ""]
    if step.reason is not None:
        lines += [f"Since ${_latex_of_reason(step.reason, derivation)}$", ""]
    return lines + ([step.note, ""] if step.note else [])


@dataclass(frozen=True)
class TraceLine:
    """One step: its rule, whether it holds and how, its formulas in LaTeX, one a line."""

    rule: str
    holds: bool
    decision: str
    formulas: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Trace:
    """A derivation as strings: what is assumed and what letters stand for, in LaTeX, and the steps.

    A step that goes on from the one before has its right-hand side only.
    """

    id: str
    title: str
    claims: tuple[str, ...]
    given: tuple[str, ...]
    lines: tuple[TraceLine, ...]
    summary: str


def trace(derivation: Shown) -> Trace:
    """The derivation as plain data."""
    lines = tuple(_line(step, goes_on, derivation) for step, goes_on in _linked(derivation))
    given, words = tuple(_given(derivation)), summary(derivation)
    return Trace(derivation.id, derivation.title, derivation.claims, given, lines, words)


def _given(derivation: Shown) -> list[str]:
    """What is assumed, and what those letters stand for that occur in a step."""
    shown = {symbol for step in derivation.steps for symbol in _symbols_shown(step, derivation)}
    names = [rf"{n} = {printing.latex(value)}" for n, value in derivation.names if n in shown]
    return [*derivation.facts.describe(), *names]


def _symbols_shown(step: Step, derivation: Shown) -> set[Symbol]:
    sides = (step.left, step.right, *([step.dropped] if step.dropped is not None else []))
    return {symbol for side in sides for symbol in _named(side, derivation).free_symbols}


def _line(step: Step, goes_on: bool, derivation: Shown) -> TraceLine:
    left, sign, right = _latex_of_step(step, derivation)
    words = step.decision.how if isinstance(step.decision, Proved) else str(step.decision)
    formulas = [] if goes_on or _is_short(left, right) else [left]
    formulas.append(f"{sign} {right}" if goes_on or formulas else f"{left} {sign} {right}")
    if step.dropped is not None:
        dropped = printing.latex(_named(step.dropped, derivation))
        formulas.append(rf"\text{{dropped: }} {dropped}")
    if step.reason is not None:
        formulas.append(rf"\text{{since }} {_latex_of_reason(step.reason, derivation)}")
    return TraceLine(step.rule, step.holds, words, tuple(formulas), step.note)


def as_html(derivation: Shown) -> str:
    """The derivation as a numbered list with TeX between dollars, for a notebook's MathJax.

    Styles are for the better look alone: the list reads as well where they are stripped.
    """
    shown = trace(derivation)
    title = f"<b>{escape(shown.title)}</b> &nbsp;<code>{escape(shown.id)}</code>"
    parts = [f"<p style='margin-bottom:0'>{title}</p>", *_html_of_setting(shown)]
    steps = (_html_of_line(line) for line in shown.lines)
    parts += ["<ol style='margin-top:0.6em'>", *steps, "</ol>"]
    return "\n".join([*parts, f"<p><i>{escape(shown.summary)}</i></p>"])


def _html_of_setting(shown: Trace) -> list[str]:
    """What is assumed, what the letters stand for, and which claims are decided."""
    facts = ", &nbsp;".join(f"${escape(fact, quote=False)}$" for fact in shown.given)
    lines = [f"With {facts}."] if facts else []
    claims = ", ".join(escape(claim) for claim in shown.claims)
    lines += [f"<small>Claims: {claims}</small>"] if claims else []
    return [f"<p style='margin:0.2em 0'>{line}</p>" for line in lines]


def _html_of_line(line: TraceLine) -> str:
    mark, colour = ("✓", "#2e7d32") if line.holds else ("✗", "#b00020")
    verdict = f"<small style='color:{colour}'>{mark} {escape(line.decision)}</small>"
    formulas = "".join(_html_of_formula(formula) for formula in line.formulas)
    note = f"<small>{escape(line.note)}</small>" if line.note else ""
    return f"<li>{escape(line.rule)} &nbsp;{verdict}{formulas}{note}</li>"


def stated(left: Expr, relation: Relation, right: Expr) -> str:
    """``left relation right`` in LaTeX."""
    return f"{printing.latex(left)} {_SIGNS[relation.value][1]} {printing.latex(right)}"


def _latex_of_reason(reason: tuple[Expr, Expr], derivation: Shown) -> str:
    part, other = (printing.latex(_named(side, derivation)) for side in reason)
    return f"{part} = {other}"


def _html_of_formula(formula: str) -> str:
    """One line, flush left; a line wider than the page scrolls by itself."""
    style = "margin:0.35em 0 0.35em 1em; overflow-x:auto; overflow-y:hidden"
    return rf"<div style='{style}'>$\displaystyle {escape(formula, quote=False)}$</div>"


def _is_short(left: str, right: str) -> bool:
    """Whether both sides fit on one line of a notebook."""
    return _width(left) + _width(right) < MOST_ON_A_LINE


def _width(formula: str) -> int:
    """About how many letters wide: commands count as one letter, braces as none."""
    return len(sub(r"[{}_^\s]|left|right|displaystyle", "", sub(r"\\[a-zA-Z]+", "x", formula)))


def _latex_of_step(step: Step, derivation: Shown) -> tuple[str, str, str]:
    left, right = (printing.latex(_named(side, derivation)) for side in (step.left, step.right))
    return left, _SIGNS[step.relation.value][1], right


def _named(expression: Expr, derivation: Shown) -> Expr:
    """Long sums by their names; names are for the eye only."""
    names = {value: name for name, value in derivation.names}
    return expression.xreplace(names | {-value: -name for value, name in names.items()})


def _escape_tex(sentence: str) -> str:
    return sentence.replace("_", r"\_").replace("^", r"\^{}").replace("&", r"\&")


def summary(derivation: Shown) -> str:
    """How many steps are proved, refuted and undecided, in words."""
    kinds = [type(step.decision) for step in derivation.steps]
    proved, refuted = kinds.count(Proved), kinds.count(Refuted)
    open_steps = len(kinds) - proved - refuted
    words = f"{proved} of {len(kinds)} steps proved for every n"
    words += f", {refuted} refuted" if refuted else ""
    return words + (f", {open_steps} undecided" if open_steps else "")
