"""Derivations and formulas as text, LaTeX, Markdown and HTML.

Only fragments that a reader relies on are compared, never a printed order of terms. What is
printed as text is read back and evaluated, so that no sign or bracket is lost in printing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

import pytest
from mpmath import mp
from sympy import Expr, KroneckerDelta, Rational, S, Symbol, exp, log, sqrt

from derive.axis import Axis, Index, array, labels_axis, total
from derive.balls import OutsideDomain, Point, enclose
from derive.calculus import Partial, partial
from derive.coefficients import Z, coefficient, order
from derive.decide import sample_points
from derive.derivation import Derivation
from derive.facts import Facts, distribution, hard, soft, strictly_soft
from derive.losses import LOSSES
from derive.printing import latex, text
from derive.render import render, summary, trace
from derive.series import GRADE

LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t = array("s"), array("t")
gamma = Symbol("gamma", positive=True)
A = 1 + total(t[k] * exp(-s[k]), k)
E, ORDER = LABELS.product(1 + exp(s[k]) * Z, k), order("m")
FORMS = ("text", "latex", "markdown")
TOPICS = [(name, topic) for name, loss in LOSSES.items() for topic in loss.topics]


def derivation() -> Derivation:
    chain = Derivation(
        "toy", "gradient", "A toy & its <gradient>", partial(log(A), s[i]), ("9064-k",), soft(t)
    )
    collected = -t[i] / (exp(s[i]) + total(t[k] * exp(s[i] - s[k]), k))
    chain = chain.differentiate().to("collect the terms", collected, "as in <(17)>")
    return chain.positive("a_b & c^d", A)


def broken() -> Derivation:
    return derivation().to("one too many", 1 + exp(s[i]))


# Reading the text back ------------------------------------------------------------------------


def read_back(line: str, point: Point, lengths: dict[str, int]) -> float:
    """The number that the printed text means at a point, with the length of each letter's axis."""
    source = line.replace("γ", "gamma").replace("β", "beta").replace("e^(", "exp(")
    source = re.sub(r"Σ_([a-z])\(", r"SUM('\1', lambda \1: ", source)
    source = re.sub(r"Π_([a-z])\(", r"PRODUCT('\1', lambda \1: ", source)
    source = re.sub(r"δ_([a-z])([a-z])", r"int(\1 == \2)", source)
    source = re.sub(r"\bmax_([a-z])\(", r"LARGEST('\1', lambda \1: ", _leaders_as_calls(source))
    source = re.sub(r"\[(?!z\^)", "(", source.replace("> 0]", "> 0)"))
    source = re.sub(r"\|([^|]*)\|", r"abs(\1)", source)
    source = re.sub(r"\b([stvyqxWb])_([a-z])([a-z])?", r"entry('\1', '\2\3', locals())", source)
    source = re.sub(r"entry\('(\w)', '(\w+)', locals\(\)\)", _as_lookup, source)
    names = {
        "SUM": lambda index, term: mp.fsum(map(term, range(lengths[index]))),
        "PRODUCT": lambda index, factor: mp.fprod(map(factor, range(lengths[index]))),
        "LARGEST": lambda index, entry: max(map(entry, range(lengths[index]))),
        "LEADS": lambda place, index, entry: place == max(range(lengths[index]), key=entry),
        "COEFFICIENT": _coefficient,
        "at": lambda name, *where: _number(point.entries[name, where]),
        **{function: getattr(mp, function) for function in ("exp", "log", "sqrt")},
        **{index.name: place for index, place in point.indices.items()},
        **{symbol.name: _number(value) for symbol, value in point.scalars.items()},
        **{str(axis.size): size for axis, size in point.sizes.items()},
    }
    with mp.workdps(DIGITS):
        return float(mp.re(eval(_coefficients_as_calls(source).replace("^", "**"), names)))


# A coefficient is the mean of F(z) z^-m over a circle. Within this radius the series of the losses
# have no pole: 1 / (1 - z e^s) with s <= 3 has one at e^-3. The mean over so many points takes in
# coefficients of order m + POINTS times RADIUS^POINTS, and DIGITS pay for the division by RADIUS^m.
DIGITS, RADIUS, POINTS = 60, Fraction(1, 128), 24


def _number(value: Rational) -> mp.mpf:
    return mp.mpf(int(value.p)) / int(value.q)


def _coefficient(series: Callable[[mp.mpc], mp.mpc], order: mp.mpf) -> mp.mpc:
    radius = mp.mpf(RADIUS.numerator) / RADIUS.denominator
    circle = [radius * mp.expjpi(mp.mpf(2 * place) / POINTS) for place in range(POINTS)]
    return mp.fsum(series(z) * z ** -int(order) for z in circle) / POINTS


def _coefficients_as_calls(source: str) -> str:
    """``[z^order] Π...(...)`` and ``[z^order] (...)`` as calls, the innermost first."""
    while (start := source.rfind("[z^")) >= 0:
        middle = source.index("] ", start)
        opening = source.index("(", middle)
        end = _closing(source, opening) + 1
        order, series = source[start + 3 : middle], source[middle + 2 : end]
        call = f"COEFFICIENT(lambda z: {series}, {order})"
        source = source[:start] + call + source[end:]
    return source


def _leaders_as_calls(source: str) -> str:
    """``[i = argmax_k(...)]`` as calls."""
    while match := re.search(r"\[([a-z]) = argmax_([a-z])\(", source):
        end = _closing(source, match.end() - 1)
        call = f"LEADS({match[1]}, '{match[2]}', lambda {match[2]}: {source[match.end() : end]})"
        source = source[: match.start()] + call + source[end + 2 :]
    return source


def _closing(source: str, opening: int) -> int:
    """Where the bracket that opens there is closed."""
    depth = 0
    for place in range(opening, len(source)):
        depth += {"(": 1, ")": -1}.get(source[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"a bracket is not closed: {source[opening:]}")


def _as_lookup(match: re.Match[str]) -> str:
    return f"at('{match[1]}', {', '.join(match[2])})"


# A step on its kink, which is a ball of any number from 0 to 1, has no value to be read back.
WIDE = 1e-12
MATRIX = [(name, topic) for name in LOSSES for topic in ("gradient", "hessian", "hvp")]


@pytest.mark.parametrize(("name", "topic"), MATRIX, ids=[f"{n}.{t}" for n, t in MATRIX])
def test_text_means_what_it_prints(name: str, topic: str):
    read = 0
    for step in LOSSES[name].derive(topic).steps:
        for side in (step.left, step.right):
            if not side.has(Partial):
                read += assert_read_back(side, step.facts)
    assert read


def assert_read_back(side: Expr, facts: Facts) -> int:
    """At how many points the text was read back."""
    line, found = text(side), 0
    for point in sample_points((side,), facts, 2):
        try:
            ball = enclose(side, point, 128)
        except OutsideDomain:
            continue
        if not ball.rad() < WIDE:
            continue
        value = float(ball)
        lengths = {index.name: point.sizes[index.axis] for index in side.atoms(Index)}
        try:
            read = read_back(line, point, lengths)
        except (
            ZeroDivisionError
        ):  # a share of an empty sum: of the other classes where there are none
            continue
        found += 1
        assert math.isclose(read, value, rel_tol=1e-11, abs_tol=1e-11), f"{line}: {read}, {value}"
    return found


PIECES: dict[str, Expr] = {
    "difference": s[i] - s[j],
    "negative sum": -total(t[k] * (s[k] - s[i]), k),
    "sum in a product": s[i] * total(s[k] + 1, k) * (1 - t[i]),
    "power of a bracket": (1 + s[i]) ** 2 / (2 - t[j]) ** 2,
    "power of a sum": A**-2,
    "exponent": exp(-gamma * (s[i] - s[j])),
    "negative exponent of e": exp(s[i]) ** 2 / 3,
    "root": sqrt(t[k] * (1 - t[k])) / 2,
    "product": LABELS.product(1 + exp(s[k]), k) - 1,
    "nested": total(total((1 - KroneckerDelta(j, k)) * s[j] * s[k], k), j),
    "logs": -log(A) * t[i] + log(2 * A) ** 2,
    "rational": Rational(-3, 4) * s[i] + Rational(1, 2),
    "power to an entry": (1 + exp(s[j])) ** t[i],
    "coefficient": coefficient(E, ORDER) * s[i],
    "coefficient of a quotient": 2 * coefficient(E / (1 - Z), ORDER) / (1 + s[i] ** 2),
    "quotient of coefficients": coefficient(Z * E * s[i], ORDER) / coefficient(E / (1 - Z), 1) ** 2,
}


@pytest.mark.parametrize("name", PIECES)
def test_every_kind_of_piece_is_read_back(name: str):
    assert assert_read_back(PIECES[name], soft(t))


# Formulas -------------------------------------------------------------------------------------


def test_text_is_in_the_notation_of_the_field():
    assert text(s[i]) == "s_i"
    assert text(KroneckerDelta(i, j)) == "δ_ij"
    assert text(gamma) == "γ"
    assert text(exp(-s[i])) == "e^(-s_i)"
    assert text(partial(s[j], s[i])) == "∂/∂s_i [s_j]"
    assert text(total(s[k], k)) == "Σ_k(s_k)"
    assert text(LABELS.product(s[k], k)) == "Π_k(s_k)"
    assert "n - 1" not in text(A)


def test_latex_is_in_the_notation_of_the_field():
    assert latex(s[i]) == "s_{i}"
    assert latex(KroneckerDelta(i, j)) == r"\delta_{ij}"
    assert latex(exp(-s[i])) == "e^{- s_{i}}"
    assert latex(partial(s[j], s[i])).startswith(r"\frac{\partial}{\partial s_{i}}")
    assert r"\sum_{k}" in latex(A)
    assert "n - 1" not in latex(A)
    assert latex(A).startswith("1 +")


def test_entries_of_two_axes_show_both_indices():
    a = Axis("features", Symbol("d", integer=True, positive=True), letters="ab").index("a")
    assert text(array("W")[a, i]) == "W_ai"
    assert latex(array("W")[a, i]) == "W_{a i}"


@pytest.mark.parametrize("name", PIECES)
def test_latex_is_balanced(name: str):
    line = latex(PIECES[name])
    assert line.count("{") == line.count("}")
    assert line.count(r"\left") == line.count(r"\right")
    assert "**" not in line


# Derivations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_every_form_shows_every_rule(form: str):
    shown = render(derivation(), form)
    for rule in ("differentiate", "collect the terms"):
        assert rule in shown
    assert "toy.gradient" in shown


def test_text_shows_claims_facts_notes_verdicts_and_the_summary():
    shown = render(derivation())
    assert shown == str(derivation())
    for fragment in ("9064-k", "t_i in [0, 1]", "as in <(17)>", "[proved (normal form)]"):
        assert fragment in shown
    assert "3 of 3 steps proved for every n" in shown


def test_a_refuted_step_is_shown_with_its_counterexample_and_counted():
    shown = str(broken())
    assert "refuted at n = 1" in shown
    assert "3 of 4 steps proved for every n, 1 refuted" in shown


def test_latex_is_an_aligned_environment_with_one_row_a_step():
    shown = render(derivation(), "latex")
    assert r"\begin{align*}" in shown
    assert shown.rstrip().endswith(r"\end{align*}")
    assert shown.count(r"\\") == len(derivation().steps)
    assert r"a\_b \& c" in shown


def test_markdown_has_displayed_formulas_and_the_assumptions():
    shown = render(derivation(), "markdown")
    assert shown.startswith("### ")
    assert shown.count("$$") == 2 * len(derivation().steps)
    assert r"t_i \in [0, 1]" in shown
    assert "`9064-k`" in shown
    assert derivation()._repr_markdown_() == shown


def test_html_escapes_what_is_not_html():
    shown = derivation()._repr_html_()
    assert "A toy &amp; its &lt;gradient&gt;" in shown
    assert "as in &lt;(17)&gt;" in shown
    assert "$" in shown


def test_html_of_a_broken_derivation_differs_at_the_broken_step():
    assert "refuted at" in broken()._repr_html_()
    assert "refuted" not in derivation()._repr_html_()


def test_names_abbreviate_the_formula_and_leave_the_decision_alone():
    name = Symbol("A")
    plain = Derivation("toy", "named", "Named", log(A**2), facts=soft(t))
    named = Derivation("toy", "named", "Named", log(A**2), facts=soft(t), names=((name, A),))
    plain, named = (chain.to("power", 2 * log(A)) for chain in (plain, named))
    assert plain.result == named.result
    assert "2*log(A)" in str(named)
    assert "where   A = " in str(named)


def test_a_truncation_shows_what_is_dropped():
    graded = LABELS.product((1 + GRADE * exp(-s[k])) ** t[k], k)
    whole = graded.xreplace({GRADE: S.One})
    chain = Derivation("toy", "cut", "Cut", log(whole), facts=soft(t))
    chain = chain.truncate("first order", graded, GRADE, A)
    assert "dropped: " in str(chain)
    assert "Dropped: " in render(chain, "markdown")
    assert "≈" in str(chain)
    assert r"\approx" in render(chain, "latex")


def test_an_unknown_form_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no format is named 'pdf'.*text, latex, markdown"):
        render(derivation(), "pdf")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (soft(t), "t_i in [0, 1]"),
        (strictly_soft(t), "t_i in (0, 1)"),
        (hard(t), "t_i in {0, 1}"),
        (distribution(t), "Σ_i t_i = 1"),
    ],
    ids=["soft", "strictly soft", "hard", "distribution"],
)
def test_facts_are_put_in_words(facts: Facts, words: str):
    assert any(words in line for line in facts.describe_text())
    assert len(facts.describe()) == 1


@pytest.mark.parametrize(("name", "topic"), TOPICS, ids=[f"{n}.{t}" for n, t in TOPICS])
def test_every_derivation_renders_in_every_form(name: str, topic: str):
    whole = LOSSES[name].derive(topic)
    for form in FORMS:
        shown = render(whole, form)
        assert whole.id in shown
        assert shown.count("{") == shown.count("}")
    assert whole._repr_html_().count("<li>") == len(whole.steps)


def test_a_trace_is_what_the_derivation_is_in_strings():
    whole = LOSSES["soft_zlpr"].derive("optimum")
    shown = trace(whole)
    assert (shown.id, shown.claims, shown.summary) == (whole.id, whole.claims, summary(whole))
    assert [line.rule for line in shown.lines] == [step.rule for step in whole.steps]
    assert all(line.holds and line.formulas for line in shown.lines)
    assert shown.given[0] == r"t_i \in [0, 1]"


def test_no_letter_has_two_subscripts():
    shown = trace(LOSSES["grid_truncated"].derive("two-classes"))
    formulas = [*shown.given, *(formula for line in shown.lines for formula in line.formulas)]
    assert "t_{0, i}" in " ".join(formulas)
    assert not any(re.search(r"_\w_", formula) for formula in formulas)
