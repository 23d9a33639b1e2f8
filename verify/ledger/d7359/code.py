"""Document 7359, its Keras code, its conclusion, and the answers under it."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, exp, log

from derive.facts import hard
from derive.losses.symbols import y
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import Contrary, Decided, Empirical, IllPosed, Tried, Witnessed
from verify.ledger.experiments import weighted
from verify.ledger.formulas import d7359 as of
from verify.ledger.own.code import HALVES
from verify.ledger.own.labels import SIGN_SEEN
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "7359")
_code = with_place(_at, "Keras code")
_end, _comment = with_place(_at, "conclusion"), with_place(_at, "comments")
HARD = hard(y)
WEIGHTED = Tried(
    "a linear model of 20 labels, each present once in 50 times; the weight of 1, 3, 10, 30 that a "
    "validation set likes best",
    weighted,
)

ENTRIES = (
    _code(
        "r",
        "the code implements eq. 11",
        r"\mathrm{code}(y, s) = \log(1 + \sum_{neg} e^{s_i}) + \log(1 + \sum_{pos} e^{-s_j})",
        Verdict.REFUTED,
        Contrary("a small loss is lost beside the 1", Witnessed(of.code_loses_small_losses)),
        correction="own-labels-code",
        note="As a formula it does, up to e^-1e12: own-code-exact. In floats a label right by 4 is "
        "beyond 4 ulp, one right by 16.64 (float32) or 36.74 (float64) costs 0: own-code-zero. The "
        "gradients that PyTorch and JAX take of it keep their digits.",
    ),
    _code(
        "s",
        "the labels must be exactly 0 or 1",
        r"\mathrm{code}(\tfrac12, s) = 2 \log(1 + n e^{-M/2}), \; M = 10^{12}",
        Verdict.PROVED,
        HALVES,
        note="A label 1/2 is masked in both sums, and its score is gone. In floats 0 remains; "
        "soft ZLPR is 2 log(3/2) at the least. Any label t inside (0, 1) is masked, by t M and by "
        "(1 - t) M.",
    ),
    _code(
        "t",
        "the scores must not go through a sigmoid or softmax",
        r"l \ge \log(1 + \#neg) \text{ for scores in } (0, 1)",
        Verdict.PROVED,
        Decided(
            equation(of.NEGATIVES - of.COUNTS[1], of.ABOVE_COUNT, HARD),
            at_least(of.ABOVE_COUNT, S.Zero, of.SQUASHED),
        ),
        (*HARD.describe(), r"s_i \in (0, 1)"),
        note="The loss cannot become small, and every label is predicted.",
    ),
    _code(
        "u",
        "predict the labels with a score above 0",
        r"e^l - 1 \ge e^{-s_i} \text{ for positives}, \; e^l - 1 \ge e^{s_i} \text{ for negatives}",
        Verdict.PROVED,
        SIGN_SEEN,
        HARD.describe(),
        note="So l < log 2 has every sign right. What 0 is worth where labels are noisy is another "
        "question.",
    ),
    _code(
        "v",
        "the mask constant 1e12",
        r"10^{12} \le 65504 = \max \text{float16}",
        Verdict.REFUTED,
        Contrary("it is infinite in float16", Witnessed(of.constant_in_half_precision)),
        correction="own-code-mask",
        note="0 times infinity is nan: so on NumPy and JAX for each row, on PyTorch where a "
        "positive is masked. In bfloat16, float32 and float64 the constant does what it should.",
    ),
    _code(
        "w",
        "scores may be masked by -inf or -1e12",
        r"\mathrm{code}(y, (s, -\infty)) = \mathrm{code}(y, s) \text{ for a negative}",
        Verdict.CONFIRMED,
        Witnessed(of.masked_scores_in_code),
        note="In float64 and float32, with NumPy, PyTorch and JAX; the gradient there is 0. With a "
        "positive label there the loss is infinite, see 7359-C3.",
    ),
    _at(
        "section 3",
        "z",
        "scale and margin are usually considered only in metric learning",
        r"\gamma = 1, \; m = 0 \text{ outside of metric learning}",
        Verdict.EMPIRICAL,
        Empirical("a survey of the literature"),
    ),
    _end(
        "x",
        "it matches finely weighted binary cross-entropy in several tasks",
        r"\text{accuracy(ZLPR)} \approx \text{accuracy(weighted BCE)}",
        Verdict.EMPIRICAL,
        WEIGHTED,
        note="With three other seeds the two differ by 0.02 at most. One made-up task decides "
        "nothing about others.",
    ),
    _end(
        "y",
        "no improvement is guaranteed, little is gained where imbalance was dealt with",
        r"\text{accuracy(ZLPR)} \gtrless \text{accuracy(weighted BCE)}",
        Verdict.EMPIRICAL,
        WEIGHTED,
        note="Here the weighted loss is as good: no gain, and none was promised.",
    ),
    _comment(
        "C1",
        "to draw k of n, draw one by softmax, remove it, and repeat",
        r"P(S) \propto e^{\sum_S s_i}",
        Verdict.REFUTED,
        Contrary("drawn one by one, subsets have other shares", Witnessed(of.draws_one_by_one)),
        correction="own-labels-elements",
        note="One by one it is the Plackett-Luce distribution.",
    ),
    _comment(
        "C2",
        "with a positive label and all scores negative the loss must be very large",
        r"s_i < 0 \text{ for all } i, \; y \ne 0 \Rightarrow l \gg 1",
        Verdict.REFUTED,
        Contrary("it is above log 2, and no more", Witnessed(of.wrong_and_cheap)),
        HARD.describe(),
        "own-labels-wrong-sign",
        note="So a loss of 2 beside an F1 of 0, as the asker has it, is no contradiction.",
    ),
    _comment(
        "C3",
        "an infinite loss comes from a positive label at a masked position",
        r"l \ge \log(1 + e^{M}) \ge M \text{ at } s = -M, \; y = 1",
        Verdict.PROVED,
        Decided(
            equation(log(1 + exp(of.LEAD)) - of.LEAD, log(1 + exp(-of.LEAD))),
            at_least(log(1 + exp(-of.LEAD))),
            *SIGN_SEEN.statements[:2],
        ),
        HARD.describe(),
        note="It is one cause, and the true value. Another is float16, where 1e12 is infinite.",
    ),
    _comment(
        "C4",
        "in eq. 8 the number of labels is not fixed",
        r"l = \log(1 + \sum_{neg} e^{s_i} \sum_{pos} e^{-s_j}) \text{ for every } y \in"
        r" \{0, 1\}^n",
        Verdict.PROVED,
        Decided(equation(log(1 + of.PAIRS), log(1 + of.NEGATIVES * of.POSITIVES), HARD)),
        HARD.describe(),
        note="No k is in the loss. To predict, one needs a number or a threshold.",
    ),
    _comment(
        "C5",
        "F1 is 0, precision 1, recall 0",
        r"\text{precision} = TP / (TP + FP) = 1",
        Verdict.ILL_POSED,
        IllPosed(
            "precision",
            "0 / 0 where nothing is predicted; the 1 is a convention, as of code that adds 1e-10 "
            "above and below",
        ),
    ),
)
