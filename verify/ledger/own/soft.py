"""Soft labels: what holds in place of what document 9064 says in its remarks."""

from __future__ import annotations

from functools import partial as with_topic

from sympy import S, exp, log

from derive.axis import total
from derive.calculus import partial
from derive.facts import hard, soft, strictly_soft
from derive.losses.symbols import LABELS, at_index, i, k, s, t, y
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import Decided, in_floats
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_remarks as remarks
from verify.ledger.formulas import d9064_views as views
from verify.ledger.statement import at_least, equation

__all__ = ["FLOW", "ITS_PRODUCT", "KL_AND_ENTROPY", "LINEAR", "ONE_LIKELIHOOD", "SOFT_CIRCLE"]
__all__ += ["BCE_SLOPE", "ENTRIES", "MIXED_HARD", "NO_CLIP", "PARTS_AT_ZERO", "SAME_AS_EQ_5"]

UNIT, HARD = soft(t), hard(y)
POSITIVES, NEGATIVES = remarks.COUNTS
BCE_SLOPE = Decided(equation(partial(of.HARD_SOFTPLUS, s[i]), of.sigmoid(s[i]) - y[i], HARD))
#: Each label by itself, as eq. 8 is for one label.
MIXED_HARD = Decided(equation(partial(of.SOFTPLUS, s[i]), of.sigmoid(s[i]) - t[i], UNIT))
_ROOM = POSITIVES * (LABELS.size + 2)
PARTS_AT_ZERO = Decided(
    equation(remarks.at_zero(of.HARD), log(1 + POSITIVES) + log(1 + NEGATIVES), HARD),
    equation((1 + LABELS.size) * (1 + POSITIVES) - (1 + NEGATIVES), _ROOM, HARD),
    at_least(_ROOM, S.Zero, HARD),
)
#: Eq. 5 of the original, its sums from eq. 6.
_EQ_5 = log(1 + total(at_index(of.POSITIVE, k), k)) + log(1 + total(at_index(of.NEGATIVE, k), k))
SAME_AS_EQ_5 = Decided(equation(of.SOFT, _EQ_5, UNIT))
LINEAR = Decided(
    equation(total(y[k], k) + total(1 - y[k], k), LABELS.size, HARD),
    equation(total(S.One, k) + total(S.One, k), 2 * LABELS.size),
)
_STEEP = total(at_index(of.GRADIENT, k) ** 2, k)
FLOW = Decided(equation(partial(of.SOFT, s[i]), of.GRADIENT, UNIT), at_least(_STEEP, S.Zero, UNIT))
KL_AND_ENTROPY = Decided(
    equation(views.ONE_BCE, views.entropy(t[i]) + views.DIVERGENCE, strictly_soft(t))
)
ONE_LIKELIHOOD = Decided(equation(exp(-log(1 + exp(-s[i]))) + exp(-log(1 + exp(s[i]))), S.One))
ITS_PRODUCT = Decided(equation(exp(views.TWO_LOGS), views.ITS_ARGUMENT, HARD))
SOFT_CIRCLE = Decided(
    equation(
        t[i] * views.PULL - (1 - t[i]) * views.PUSH,
        (views.PULL + views.PUSH) * (t[i] - of.sigmoid(views.CENTRED)),
        UNIT,
    )
)
NO_CLIP = in_floats(remarks.infinities_are_handled)

_entry = with_topic(own_entry, "soft")

ENTRIES = (
    _entry(
        "for 9064-b",
        "mixed-losses",
        "hard losses mixed with the weights of the labels: of one label the slope is that of "
        "binary cross-entropy, zero at sigma(s) = t",
        r"\partial_s (t \log(1 + e^{-s}) + (1 - t) \log(1 + e^s)) = \sigma(s) - t",
        MIXED_HARD,
        UNIT.describe(),
        "Of several labels the slopes are mixed too, but where they vanish has no closed form "
        "then.",
    ),
    _entry(
        "for 9064-g",
        "parts",
        "with scores 0 the two logs of ZLPR are those of the counts, at most log(n + 1) apart",
        r"\log(1 + |pos|), \; \log(1 + |neg|), \; 1 + |neg| \le (1 + n)(1 + |pos|)",
        PARTS_AT_ZERO,
        HARD.describe(),
    ),
    _entry(
        "for 9064-7b",
        "bce-slope",
        "the slope of binary cross-entropy by a score has nothing of the other labels",
        r"\partial_i \mathrm{BCE} = \sigma(s_i) - y_i",
        BCE_SLOPE,
        HARD.describe(),
    ),
    _entry(
        "for 9064-16b",
        "eq-5",
        "eq. 16 is eq. 5 of the original",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i})",
        SAME_AS_EQ_5,
        UNIT.describe(),
    ),
    _entry(
        "for 9064-s, 9064-S15a",
        "no-clip",
        "eq. 39 with log 0 = -inf is computed as it is",
        r"|\mathrm{fl}(l) - l| < 10^{-15} \text{ at } t = (1, 0), \; s = (1, -2)",
        NO_CLIP,
        note="In float64, with the zero among the exponents: the largest is finite. A score "
        "-inf with a label 0 needs care: -s + log t is inf - inf.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "for 9064-S14c",
        "terms",
        "of hard labels n terms are under the logs, of soft ones up to 2n",
        r"|pos| + |neg| = n, \; n + n = 2n",
        LINEAR,
        HARD.describe(),
        "The same order, and twice the exponentials.",
    ),
    _entry(
        "for 9064-S15c",
        "flow",
        "straight down the gradient the loss does not rise, whatever comes of a longer step",
        r"\frac{dL}{d\tau} = -\sum_i g_i^2 \le 0 \text{ for } \frac{ds}{d\tau} = -g",
        FLOW,
        UNIT.describe(),
    ),
    _entry(
        "for 9064-S16a, 9064-52, 9064-S16b, 9064-S18a",
        "cross-entropy",
        "binary cross-entropy is the entropy of the label, which no score changes, and KL",
        r"-t \log \sigma(s) - (1 - t) \log(1 - \sigma(s)) = H(t) + \mathrm{KL}(t \| \sigma(s))",
        KL_AND_ENTROPY,
        strictly_soft(t).describe(),
        "KL is a Bregman divergence, that of -H.",
    ),
    _entry(
        "for 9064-54, 9064-S17b",
        "likelihood",
        "of one hard label the loss is a negative log-likelihood",
        r"e^{-L(s, 1)} + e^{-L(s, 0)} = \sigma(s) + \sigma(-s) = 1",
        ONE_LIKELIHOOD,
        note="So binary cross-entropy is one for any number of labels, each by itself.",
    ),
    _entry(
        "for 9064-59",
        "two-logs",
        "eq. 59 has the log of all pairs, and of the sums by themselves",
        r"e^{(59)} = 1 + N P + N + P, \; N = \sum_{neg} e^{\gamma (s_i - \Delta_n)},"
        r" \; P = \sum_{pos} e^{\gamma (\Delta_p - s_j)}",
        ITS_PRODUCT,
        HARD.describe(),
        "ZLPR of scaled scores with margins.",
    ),
    _entry(
        "for 9064-S19e",
        "circle",
        "eq. 59 with soft labels gives them back",
        r"t e^{\gamma (\Delta_p - s)} = (1 - t) e^{\gamma (s - \Delta_n)}"
        r" \Leftrightarrow t = \sigma(\gamma (2 s - \Delta_n - \Delta_p))",
        SOFT_CIRCLE,
        UNIT.describe(),
        "Where it holds for every label both sums are equal, and the gradient vanishes.",
    ),
)
