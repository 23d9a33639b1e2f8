"""Document 7359 up to eq. 5: softmax cross-entropy, the softmax over k-subsets, its padding."""

from __future__ import annotations

from functools import partial as with_place

from sympy import exp, log

from derive.facts import hard
from derive.losses.symbols import c, k, s, y
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import Contrary, Decided, Derived, Empirical, IllPosed, Witnessed
from verify.ledger.formulas import d7359 as of
from verify.ledger.own.labels import PADDED_BEST
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "7359")
HARD = hard(y)
ONE_OF_MANY = equation(of.CROSS_ENTROPY, -s[c] + log(of.PARTITION))

ENTRIES = (
    _at(
        "eq.1",
        "1",
        "softmax cross-entropy as log-partition less the score of the target",
        r"-\log \frac{e^{s_t}}{\sum_i e^{s_i}} = -s_t + \log \sum_i e^{s_i}",
        Verdict.PROVED,
        Decided(ONE_OF_MANY),
    ),
    _at(
        "after eq.1",
        "a",
        "the optimisation makes s_t the maximum of s_1, ..., s_t",
        r"s_t = \max(s_1, \dots, s_t)",
        Verdict.ILL_POSED,
        IllPosed("s_1, ..., s_t", "t is the target, not the last class: s_1, ..., s_n is meant"),
        correction="own-labels-maximum",
    ),
    _at(
        "intro",
        "b",
        "for n much larger than k a sum of binary cross-entropies is severely imbalanced: "
        "untrained, its negatives pull (n - k) / k times as hard",
        r"-\sum_{pos} \partial_i l = k/2, \; \sum_{neg} \partial_i l = (n - k)/2 \text{ at } s = 0",
        Verdict.PROVED,
        Decided(
            equation(of.UNTRAINED[0], of.COUNTS[0] / 2, HARD),
            equation(of.UNTRAINED[1], of.COUNTS[1] / 2, HARD),
        ),
        HARD.describe(),
        note="That weights and another threshold are needed does not follow. The minimum is "
        "sigma(s) = t for each label by itself, whatever the counts are: for the number of errors "
        "the threshold 0 is best there, for F1 a lower one, of any loss that gives probabilities.",
    ),
    _at(
        "intro",
        "c",
        "as n binary problems n choose 1 is the hardest, as it is the most imbalanced",
        r"\arg\max_k \text{difficulty}(n, k) = 1",
        Verdict.EMPIRICAL,
        Empirical(
            "the accuracy of binary cross-entropy on the same inputs with labels of k = 1, 2, ... "
            "positives; the ratio (n - k) / k of 7359-b is largest at k = 1, and at k = n - 1 too"
        ),
    ),
    _at(
        "intro",
        "d",
        "softmax and cross-entropy with one label has no class imbalance",
        r"-\partial_t l = \sum_{i \ne t} \partial_i l",
        Verdict.PROVED,
        Decided(equation(of.ON_TARGET, of.ON_OTHERS)),
        note="Between the target and all others of one sample, at all scores and for every n. "
        "Between classes with many samples and classes with few it has imbalance: see 9158-m.",
    ),
    _at(
        "eq.2",
        "2",
        "the softmax over the total scores of k labels",
        r"-\log \frac{e^{s_{t_1} + \dots + s_{t_k}}}{Z_k} = \log Z_k - (s_{t_1} + \dots + s_{t_k})",
        Verdict.PROVED,
        Derived("combination_softmax", "value", "log Z_k less the scores of the labels"),
        HARD.describe(),
    ),
    _at(
        "after eq.2",
        "e",
        "it is a single-label classification, one of C(n, k)",
        r"Z_k(s = 0) = \binom nk, \; k \binom nk = (n - k + 1) \binom n{k-1}",
        Verdict.PROVED,
        Derived(
            "combination_softmax", "value", "the number of subsets", "Z_2 is the sum over all pairs"
        ),
    ),
    _at(
        "after eq.2",
        "f",
        "to predict, output the k labels with the largest scores",
        r"e^{S + s_b} \ge e^{S + s_a} \text{ for } s_b = s_a + \delta, \; \delta \ge 0",
        Verdict.PROVED,
        Decided(
            at_least(exp(s[c] + of.LEAD), exp(s[c])),
            equation(exp(s[k] + s[c] + of.LEAD) / exp(s[k] + s[c]), exp(of.LEAD)),
        ),
        note="Another label with a larger score makes a subset more probable: the most probable "
        "subset is that of the k largest scores.",
    ),
    _at(
        "eq.3",
        "3",
        "Newton's identities give Z_k from Z_1, ..., Z_{k-1} and the power sums",
        r"k Z_k = Z_{k-1} S_1 - Z_{k-2} S_2 + \dots + (-1)^{k-1} S_k, \; S_m = \sum_i e^{m s_i}",
        Verdict.PROVED,
        Derived("combination_softmax", "newton", "geometric series of x_l z, order by order"),
        note="For every n and every k.",
    ),
    _at(
        "after eq.3",
        "g",
        "k steps of recursion are enough, in reasonable time",
        r"Z_0 = 1 \to Z_1 \to \dots \to Z_k",
        Verdict.PROVED,
        Derived("combination_softmax", "newton", "geometric series of x_l z, order by order"),
        note="Step m takes m products, and the power sums k n: n k + k (k + 1) / 2 in all. In "
        "floats the digits are lost on the way, see 7359-h.",
    ),
    _at(
        "after eq.5",
        "h",
        "the implementation poses no difficulty",
        r"\mathrm{fl}(Z_k) \approx Z_k \text{ by eq. 3}",
        Verdict.REFUTED,
        Contrary("eq. 3 subtracts, and no digit is left", Witnessed(of.newton_in_floats)),
        correction="own-labels-elements",
    ),
    _at(
        "eq.4",
        "4",
        "the loss with at most K labels and a padding class 0",
        r"l = \log \bar Z_K - (s_{t_1} + \dots + s_{t_k} + (K - k) s_0)",
        Verdict.PROVED,
        Derived("padded_combination_softmax", "value", "as printed"),
        HARD.describe(),
    ),
    _at(
        "eq.5 line 1",
        "5a",
        "subsets of size K, and those with class 0 repeated",
        r"\bar Z_K = Z_K + \sum_{m \ge 1} e^{m s_0} Z_{K-m}",
        Verdict.PROVED,
        Derived(
            "padded_combination_softmax", "unrolled", "no class 0, or class 0 repeated m times"
        ),
    ),
    _at(
        "eq.5 line 2",
        "5b",
        "the recursion of the padded partition function",
        r"\bar Z_K = Z_K + e^{s_0} \bar Z_{K-1}",
        Verdict.PROVED,
        Derived(
            "padded_combination_softmax",
            "recursion",
            "none of class 0, or one of it",
            "K = 1: a softmax with class 0",
        ),
    ),
    _at(
        "after eq.5",
        "i",
        "class 0 alone may be repeated",
        r"\bar Z_K = \sum_{m \le K} e^{(K - m) s_0} Z_m",
        Verdict.PROVED,
        Derived(
            "padded_combination_softmax",
            "unrolled",
            "[z^{K-m}] 1 / (1 - e^{s_0} z) = e^{(K-m) s_0}",
        ),
    ),
    _at(
        "after eq.5",
        "j",
        "the top K with class 0 repeatable are all labels with a score above s_0",
        r"\{\text{top } K\} = \{i : s_i > s_0\}",
        Verdict.REFUTED,
        Contrary("K labels are output at most", Witnessed(of.more_labels_than_room), PADDED_BEST),
        correction="own-labels-padded-best",
        note="It is so where at most K scores are above s_0.",
    ),
)
