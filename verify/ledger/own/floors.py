"""The floor of each loss for given soft labels: what a stalled value is to be compared with."""

from __future__ import annotations

from functools import partial as with_topic

from sympy import S

from derive.facts import distribution, soft, strictly_soft
from derive.losses.symbols import t
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import All, Decided, Derived, Witnessed
from verify.ledger.formulas import d9064
from verify.ledger.formulas import floors as of
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

UNIT, OPEN = soft(t), strictly_soft(t)

_entry = with_topic(own_entry, "floor", "least values")

ENTRIES = (
    _entry(
        "soft-zlpr",
        "soft ZLPR cannot go below this, whatever the model: read the excess, not the value",
        r"\min_s l = 2 \log(1 + \sum_i \sqrt{t_i (1 - t_i)}),"
        r" \text{ at } t = \sigma(2s) \text{ only}",
        Derived(
            "soft_zlpr",
            "optimum",
            "Lagrange's identity",
            "hence l >= 2 log(1 + sum sqrt(t (1 - t)))",
            "and there the gap closes",
        ),
        UNIT.describe(),
        "In code: soft_zlpr.minimum(labels). 0 for hard labels. The excess is log(1 + Q / F^2), F "
        "the argument of the log here and Q = A B - F^2 a sum of squares.",
    ),
    _entry(
        "bce",
        "binary cross-entropy cannot go below the entropies of its labels",
        r"\mathrm{BCE} - \sum_i H(t_i) = \sum_i t_i G(\tfrac{t_i}{\sigma(s_i)})"
        r" + (1 - t_i) G(\tfrac{1 - t_i}{\sigma(-s_i)}) \ge 0, \quad G(x) = \log x - 1 + \tfrac1x",
        All(
            Decided(
                equation(d9064.SOFTPLUS, of.ENTROPIES + of.DIVERGENCES, OPEN),
                at_least(of.DIVERGENCES, S.Zero, OPEN),
            ),
            Derived(
                "binary_cross_entropy",
                "optimum",
                "the gradient is its own residual: zero iff t = sigma(s)",
            ),
        ),
        OPEN.describe(),
        "In code: binary_cross_entropy.minimum(labels). The rest is the sum of KL(t, sigma(s)). "
        "It grows like n, the floor of soft ZLPR like 2 log n.",
    ),
    _entry(
        "softmax",
        "softmax cross-entropy cannot go below the entropy of the label",
        r"\min_s -\sum_j t_j \log \mathrm{softmax}(s)_j = -\sum_j t_j \log t_j",
        Derived(
            "softmax_cross_entropy",
            "optimum",
            "at s = log t, for positive t, the gradient vanishes",
            "value there: the entropy of the labels",
        ),
        distribution(t).describe(),
        "In code: softmax_cross_entropy.minimum(labels). The loss is convex, so that where the "
        "gradient vanishes it is least.",
    ),
    _entry(
        "unified",
        "the unified loss with soft labels, scale and margin",
        r"\min_s l = \log(1 + e^{\gamma m} (\sum_i \sqrt{t_i (1 - t_i)})^2)",
        Decided(
            equation(of.SOFT_PAIRS - of.LEAST_PAIRS, of.PAIR_SQUARES, UNIT),
            at_least(of.PAIR_SQUARES, S.Zero, UNIT),
        ),
        UNIT.describe(),
        "In code: unified.minimum(labels). The squares vanish where t = sigma(2 gamma (s - c)) for "
        "any c.",
    ),
    _entry(
        "order-r",
        "every symmetric set of counted mistakes has its floor at t = sigma(2s)",
        r"\min_s l = \log \sum_{(a, b) \in I} e_a(h) e_b(h), \; h_i = \sqrt{t_i (1 - t_i)};"
        r" \quad \text{order } r: \; 2 \log \sum_{a \le r} e_a(h)",
        Derived(
            "lattice",
            "minimum",
            "a pair of subsets and its mirror image make a square",
            "so nowhere is the sum below its value at rho = 0",
            "rho = 0 is t = sigma(2s), where V has the coefficients e_a(h)",
            "and W as well",
        ),
        OPEN.describe(),
        "In code: order_r.minimum(labels).",
    ),
    _entry(
        "smoothed",
        "one positive among 10 000 smoothed labels: a perfect model has the loss 15.4",
        r"15.37 < 2 \log(1 + 10^4 \sqrt{0.0475}) < 15.38,"
        r" \quad 1985.1 < 10^4 H(0.05) < 1985.2",
        Witnessed(of.floors_of_smoothed_labels),
        (r"t = 0.95, \; 9999 \times 0.05",),
        "A loss that stalls at 15.4 there has nothing left to learn.",
        Verdict.PROVED_FOR,
    ),
    _entry(
        "stalled",
        "at the best scores the excess is 0; with hard labels the value itself can be read",
        r"l - \min l < 10^{-20} \text{ at } s = \tfrac12 \mathrm{logit}(t);"
        r" \quad l < 7 \cdot 10^{-5} \text{ with hard labels}",
        Witnessed(of.smoothed_loss_stalls),
        (r"10\,000 \text{ labels}",),
        note="For every n: own-floor-soft-zlpr.",
        verdict=Verdict.PROVED_FOR,
    ),
)
