"""A derivation as text, LaTeX, Markdown and a notebook cell: the same steps in four dresses."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from sympy import Expr

from derive import printing
from derive.decide import Proved, Refuted

if TYPE_CHECKING:
    from derive.derivation import Derivation, Step

_SIGNS = {
    "=": ("=", "="),
    ">": (">", ">"),
    ">=": ("≥", r"\ge"),
    "= 0  ==>  0 =": ("= 0  ⟹  0 =", r"= 0 \;\Longrightarrow\; 0 ="),
    "~": ("≈", r"\approx"),
}


def render(derivation: Derivation, form: str = "text") -> str:
    """The derivation in one of the forms ``text``, ``latex``, ``markdown``."""
    forms: dict[str, Callable[[Derivation], str]] = {
        "text": as_text,
        "latex": as_latex,
        "markdown": as_markdown,
    }
    if form not in forms:
        raise ValueError(f"no format is named {form!r}: choose one of {', '.join(forms)}")
    return forms[form](derivation)


def as_text(derivation: Derivation) -> str:
    """Plain Unicode text, one formula a line."""
    lines = [f"{derivation.id}: {derivation.title}"]
    lines += [f"  claims  {', '.join(derivation.claims)}"] if derivation.claims else []
    lines += [f"  given   {fact}" for fact in derivation.facts.describe_text()]
    lines += [f"  where   {name} = {printing.text(value)}" for name, value in derivation.names]
    for number, (step, goes_on) in enumerate(_linked(derivation), start=1):
        lines += ["", *_text_of_step(number, step, goes_on, derivation)]
    return "\n".join([*lines, "", _summary(derivation)])


def _linked(derivation: Derivation) -> list[tuple[Step, bool]]:
    """Each step, and whether it starts where the one before it ended."""
    before = [None, *(step.right for step in derivation.steps)]
    return [(step, step.left == left) for step, left in zip(derivation.steps, before, strict=False)]


def _text_of_step(number: int, step: Step, goes_on: bool, derivation: Derivation) -> list[str]:
    left, right = (printing.text(_named(side, derivation)) for side in (step.left, step.right))
    lines = [f"  {number}. {step.rule}"]
    lines += [] if goes_on else [f"       {left}"]
    lines.append(f"       {_SIGNS[step.relation.value][0]} {right}")
    if step.dropped is not None:
        lines.append(f"       dropped: {printing.text(_named(step.dropped, derivation))}")
    lines += [f"       note: {step.note}"] if step.note else []
    return [*lines, f"       [{step.decision}]"]


def as_latex(derivation: Derivation) -> str:
    """An ``align*`` environment with the rule and the verdict beside each line."""
    rows = [rf"% {derivation.id}: {derivation.title}", r"\begin{align*}"]
    for step, goes_on in _linked(derivation):
        left, sign, right = _latex_of_step(step, derivation)
        rows.append(rf"{'' if goes_on else left} &{sign} {right} && \text{{{_escape_tex(step.rule)}}} \\")
    return "\n".join([*rows, r"\end{align*}"])


def as_markdown(derivation: Derivation) -> str:
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
    return "\n".join([*lines, f"*{_summary(derivation)}*"])


def _markdown_of_step(number: int, step: Step, derivation: Derivation) -> list[str]:
    left, sign, right = _latex_of_step(step, derivation)
    lines = [f"**{number}. {step.rule}** ({step.decision})", ""]
    lines += [f"$${left} {sign} {right}$$", ""]
    if step.dropped is not None:
        lines += [f"Dropped: ${printing.latex(_named(step.dropped, derivation))}$", ""]
    return lines + ([step.note, ""] if step.note else [])


def as_html(derivation: Derivation) -> str:
    """The Markdown's content as HTML with TeX between dollars, for a notebook's MathJax."""
    parts = [f"<h4>{escape(derivation.title)} <code>{escape(derivation.id)}</code></h4>"]
    for step in derivation.steps:
        left, sign, right = _latex_of_step(step, derivation)
        formula = escape(f"$${left} {sign} {right}$$")
        colour = "inherit" if step.holds else "#b00020"
        verdict = f"<small style='color:{colour}'>{escape(str(step.decision))}</small>"
        parts.append(f"<p><b>{escape(step.rule)}</b> {verdict}</p>{formula}")
    return "\n".join([*parts, f"<p><i>{escape(_summary(derivation))}</i></p>"])


def _latex_of_step(step: Step, derivation: Derivation) -> tuple[str, str, str]:
    left, right = (printing.latex(_named(side, derivation)) for side in (step.left, step.right))
    return left, _SIGNS[step.relation.value][1], right


def _named(expression: Expr, derivation: Derivation) -> Expr:
    """Long sums by their names; names are for the eye only."""
    return expression.xreplace({value: name for name, value in derivation.names})


def _escape_tex(sentence: str) -> str:
    return sentence.replace("_", r"\_").replace("^", r"\^{}").replace("&", r"\&")


def _summary(derivation: Derivation) -> str:
    kinds = [type(step.decision) for step in derivation.steps]
    proved, refuted = kinds.count(Proved), kinds.count(Refuted)
    open_steps = len(kinds) - proved - refuted
    words = f"{proved} of {len(kinds)} steps proved for every n"
    words += f", {refuted} refuted" if refuted else ""
    return words + (f", {open_steps} undecided" if open_steps else "")
