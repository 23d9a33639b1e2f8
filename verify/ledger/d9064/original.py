"""Document 9064: what it says of the original loss, of hard labels, and of its code."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S

from verify.ledger.d9064.equations import (
    CONVEX,
    GIVEN,
    GIVEN_HARD,
    GIVEN_OPEN,
    LEAST,
    OF_LINK,
)
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import (
    All,
    Decided,
    Witnessed,
    in_floats,
)
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_code as code
from verify.ledger.own.labels import SIGN_SEEN
from verify.ledger.statement import equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9064")
_orig, _impl = with_place(_at, "orig."), with_place(_at, "orig. impl.")

ENTRIES = (
    _orig(
        "f",
        "dropping the high orders does not change what the loss does",
        r"e^l - 1 \ge e^{-s_i} \text{ for positives}, \; e^l - 1 \ge e^{s_i} \text{ for negatives}",
        Verdict.PROVED,
        SIGN_SEEN,
        GIVEN_HARD,
        note="Below log 2 every sign is right, as for binary cross-entropy. What the minimum says "
        "of soft labels does change: t = sigma(2s) in place of sigma(s).",
    ),
    _orig(
        "l",
        "the minimum is where all derivatives vanish",
        r"\nabla l(s^*) = 0 \Leftrightarrow l(s^*) = \min l",
        Verdict.PROVED,
        All(CONVEX, Decided(equation(of.at_link(of.GRADIENT), S.Zero))),
        GIVEN_OPEN,
        note="As the loss is convex. With a label 0 or 1 no derivative vanishes, and there is no "
        "minimum.",
    ),
    _orig(
        "o",
        "the scores rebuild the labels",
        r"t_i = \sigma(2 s_i) \text{ where } \nabla L = 0",
        Verdict.PROVED,
        OF_LINK,
    ),
    _orig(
        "p",
        "the probability is sigma(2s), not sigma(s)",
        r"\arg\min_s l: \; \sigma(2 s_i) = t_i",
        Verdict.PROVED,
        LEAST,
        GIVEN,
        note="For soft labels. Of a model that was trained on hard labels of noisy inputs a score "
        "stands for another probability.",
    ),
    _impl(
        "u",
        "for eps = 1e-7 the log is about -16",
        r"-16.2 < \log 10^{-7} < -16.1",
        Verdict.PROVED_FOR,
        Witnessed(of.log_of_epsilon),
        note="eps is a constant of that implementation.",
    ),
    _impl(
        "v",
        "after the clip a masked score of -1e7 still contributes about 1e7",
        r"-s + \log \varepsilon > 9.99 \cdot 10^6 \text{ at } s = -10^7, \; \varepsilon"
        r" = 10^{-7}",
        Verdict.PROVED_FOR,
        Witnessed(of.clipped_mask),
        note="What is done with it in floats: own-code-asked.",
    ),
    _impl(
        "w",
        "asking the labels as they were before the clip repairs it",
        r"\mathrm{code}(0, -10^7) < 10^{-9}, \; \mathrm{code}(1, 20) < 3 \cdot 10^{-9}",
        Verdict.PROVED_FOR,
        in_floats(code.original_labels_asked),
        note="Set, as the text has it, the mask works at -inf too: own-code-set. Subtracted, as in "
        "the pseudo-code, it does not: own-code-asked.",
    ),
)
