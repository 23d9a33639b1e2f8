"""LaTeX in the documents' order, and the notebook's list of steps."""

from __future__ import annotations

import pytest
from sympy import Expr, KroneckerDelta, S, Symbol, exp, log, sqrt

from derive import printing
from derive.axis import array
from derive.decide import Proved, equal
from derive.derivation import Derivation
from derive.losses import LOSSES
from derive.losses.symbols import i, j, k, s, sigmoid, t, total, v
from derive.printing import _signed

Z = Symbol("Z")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (exp(-s[k]) * t[k], r"t_{k} e^{- s_{k}}"),
        (-t[i] + exp(s[i]) / Z, r"\frac{e^{s_{i}}}{Z} - t_{i}"),
        (-total(-t[k] * exp(s[k]), k), r"\sum_{k} t_{k} e^{s_{k}}"),
        ((t[i] - 1) * exp(s[i]), r"- \left(1 - t_{i}\right) e^{s_{i}}"),
        (1 - sigmoid(s[i]), r"1 - \sigma(s_{i})"),
        (exp(s[i]) / (1 + exp(s[i])), r"\frac{e^{s_{i}}}{1 + e^{s_{i}}}"),
        (-v[k] + v[j], r"v_{j} - v_{k}"),
        (exp(-s[j] / 2), r"e^{- s_{j}/2}"),
        (total(t[k], k) / 2, r"\frac{1}{2} \sum_{k} t_{k}"),
        (sqrt(1 - t[k]), r"\sqrt{1 - t_{k}}"),
        (S.NegativeOne, "-1"),
        (array("t_0")[k] ** 2, r"t_{0, k}^{2}"),
    ],
)
def test_latex_reads_as_the_documents(expression: Expr, expected: str) -> None:
    assert printing.latex(expression) == expected


@pytest.mark.parametrize(
    "term",
    [
        t[i],
        -t[i],
        -3 * t[i] / Z,
        (t[i] - 1) * exp(s[i]),
        -2 * (t[i] - 1) * (KroneckerDelta(i, j) - 1) * log(Z),
        total(-t[k] * exp(s[k]), k),
        -total((t[k] - 1) * exp(s[k]), k) / 2,
        S(-2),
        S.Zero,
    ],
    ids=str,
)
def test_a_sign_taken_out_is_put_back(term: Expr) -> None:
    negative, positive = _signed(term)
    assert isinstance(equal(-positive if negative else positive, term), Proved)


def test_a_chain_shows_each_side_once() -> None:
    html = LOSSES["softmax_cross_entropy"].derive("value")._repr_html_()
    assert html.count(printing.latex(log(Z))) == 1
    assert "✗" not in html


def test_a_refuted_step_shows_its_counterexample() -> None:
    wrong = Derivation("mine", "square", "A slip", t[i] ** 2).to("a slip", t[i])
    html = wrong._repr_html_()
    assert "✗ refuted at n = 1" in html
    assert "0 of 1 steps proved for every n, 1 refuted" in html
    assert repr(wrong) == "<Derivation mine.square: 0 of 1 steps proved for every n, 1 refuted>"
