"""The printed code: what it computes in exact arithmetic, and where it breaks in floats.

The table of all runs is :mod:`verify.ledger.printed`; here is what is proved of the formulas, and
the inputs at which NumPy decides. PyTorch and JAX differ where a note says so.
"""

from __future__ import annotations

from functools import partial as with_topic

from sympy import S, exp, log

from derive.facts import hard, soft
from derive.losses.symbols import LABELS, t, y
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import All, Decided, Derived, Witnessed, in_floats
from verify.ledger.formulas import d7359
from verify.ledger.formulas import printed as of
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES", "HALVES"]

HARD = hard(y)
GIVEN = HARD.describe()
CLIPPED = (*GIVEN, r"\varepsilon \in (0, \tfrac12]")
HALVES = Decided(
    equation(of.CODE_AT_HALF, 2 * log(1 + LABELS.size * exp(-of.MASK / 2))),
)
_LEAST = Derived(
    "soft_zlpr", "optimum", "hence l >= 2 log(1 + sum sqrt(t (1 - t)))", "and there the gap closes"
)

_entry = with_topic(own_entry, "code")

OF_7359 = (
    _entry(
        "7359, Keras code",
        "exact",
        "in exact arithmetic the code is eq. 11 and a leak of its masks, M = 1e12",
        r"\mathrm{code} = \log(1 + N + e^{-M} P) + \log(1 + P + e^{-M} N), \;"
        r" e^{\mathrm{code}} - e^l = e^{-M} (P (1 + P) + N (1 + N) + e^{-M} P N) \ge 0",
        Decided(
            equation(of.CODE, of.LEAKED, HARD),
            equation(exp(of.LEAKED) - exp(d7359.ZLPR), of.EXCESS, HARD),
            at_least(d7359.POSITIVES, S.Zero, HARD),
            at_least(d7359.NEGATIVES, S.Zero, HARD),
        ),
        GIVEN,
        "N and P are the sums of eq. 11. What is wrong with its value in floats comes from "
        "rounding alone.",
    ),
    _entry(
        "7359, Keras code",
        "halves",
        "labels 1/2 leave the loss, whatever their scores",
        r"\mathrm{code}(\tfrac12, s) = 2 \log(1 + n e^{-M/2})",
        HALVES,
        note="And the gradient is 0, with PyTorch and with JAX, in each format.",
    ),
    _entry(
        "7359, Keras code",
        "zero",
        "a label right by 16.64 has the loss 0 in float32, by 36.74 in float64",
        r"\mathrm{fl}(\mathrm{code}(1, s)) = 0 \text{ at } s = 16.64, \; 36.74; \;"
        r" > 0 \text{ at } s = 16.63, \; 36.73",
        in_floats(of.value_vanishes),
        note="1 + e^-s is 1 from e^-s = 2^-24 or 2^-53 on. So it is on PyTorch and JAX. Their "
        "gradients keep their digits: they are e^{x - log-sum-exp}.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "7359, Keras code",
        "ulp",
        "a label right by 4 is beyond 4 ulp, in float32 and in float64",
        r"|\mathrm{fl}(\mathrm{code}) - l| > 4 \text{ ulp at } y = 1, \; s = 4",
        in_floats(of.four_ulp),
        note="The loss is there 0.018, and the 1 beside it has the rounding error.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "for 7359-v",
        "mask",
        "the mask 1e4 does what 1e12 should, and is a number in each format",
        r"|\mathrm{fl}(\mathrm{code}_{M = 10^4}) - l| < 4 \text{ ulp at } s = (1.5, -0.5, -2)",
        in_floats(of.smaller_mask),
        (r"\text{float16, float32, float64}",),
        "At this row; it needs |s| far below 1e4. With 1e12 in float16 NumPy and JAX give nan for "
        "each row of labels 0 and 1, as 0 times infinity. PyTorch multiplies by the constant in "
        "float32, and gives nan only where a positive label is masked.",
        Verdict.PROVED_FOR,
    ),
    _entry(
        "7359, eq. 3",
        "newton",
        "eq. 3 has no digit left where one score leads by 20 (float64) or 8 (float32)",
        r"\left| \frac{\mathrm{fl}(\log Z_3 - S)}{\log Z_3 - S} - 1 \right| > 0.1"
        r" \text{ at } s = (20, 0, 0, 0)",
        in_floats(of.newton_loses),
        note="The terms are e^{3a}, their difference is 3 e^a: two times a / log 10 digits go.",
        verdict=Verdict.PROVED_FOR,
    ),
)

OF_9064 = (
    _entry(
        "9064, section 9",
        "floor",
        "as printed the masks never act, and n labels 0 or 1 cost this at least",
        r"\min_s \mathrm{code} = 2 \log(1 + n \sqrt{\varepsilon (1 - \varepsilon)})",
        All(_LEAST, Decided(equation(of.SPREADS, LABELS.size * of.SPREAD, HARD))),
        (*CLIPPED, *soft(t).describe()),
        "It is soft ZLPR of the clipped labels, and has the minimum of those, at |s| = 8.06. What "
        "its gradient does to labels that are more sure: own-user-clip.",
    ),
    _entry(
        "9064, section 9",
        "floor-size",
        "with 1000 labels the least loss is 0.549, with 10 000 it is 2.852",
        r"2 \log(1 + 10^4 \sqrt{10^{-7} (1 - 10^{-7})}) > 2.85",
        Witnessed(of.floor_of_code),
        (r"\varepsilon = 10^{-7}",),
        "Two further out or in, with every label right, 1000 of them cost 1.25.",
        Verdict.PROVED_FOR,
    ),
    _entry(
        "9064, section 9",
        "asked",
        "a mask that is subtracted meets scores that are masked: 4080 and inf in place of 0.44",
        r"\mathrm{code}(0, -10^{12}) > 4000, \; \mathrm{code}(0, -\infty) = \infty",
        in_floats(of.masks_collide),
        note="With the labels before the clip asked, which is right at -1e7: 1e12 less 1e12 "
        "rounds to anything, infinity less 1e12 is infinity.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "9064, section 9",
        "set",
        "a mask that is set, as the text says, works at -1e7, -1e12 and -inf",
        r"\left| \mathrm{code} / l - 1 \right| < 10^{-7}",
        in_floats(of.masks_set),
        note="In float64; with PyTorch and JAX in each format, their gradients too.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "9064, section 9",
        "clip",
        "with masks set, labels 0 and 1 count by 1 - eps in the sum that they are in",
        r"\mathrm{code} = \log(1 + (1 - \varepsilon) P) + \log(1 + (1 - \varepsilon) N)",
        Decided(
            equation(of.KEPT[0], (1 - of.EPSILON) * d7359.POSITIVES, HARD),
            equation(of.KEPT[1], (1 - of.EPSILON) * d7359.NEGATIVES, HARD),
        ),
        CLIPPED,
        "A relative error of eps = 1e-7: half the digits of float64. The clip is not needed.",
    ),
)

ENTRIES = (*OF_7359, *OF_9064)
