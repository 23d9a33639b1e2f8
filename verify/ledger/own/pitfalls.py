"""What is most easily got wrong around ZLPR, and is in no document: labels, clips, means."""

from __future__ import annotations

from functools import partial as with_topic

from sympy import S

from derive.calculus import partial
from derive.facts import Facts, hard, soft
from derive.losses.symbols import c, i, s, t, y
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import Decided, Witnessed, in_floats
from verify.ledger.formulas import d9064, weights
from verify.ledger.formulas import pitfalls as of
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

UNIT = soft(t)
BOTH = soft(t, of.V_LABELS)
KEPT = Facts(unit=UNIT.unit, hard=frozenset({y}))
SMOOTHED = (r"t_c = 1 - e, \; t_k = e \text{ for } k \ne c, \; 0 < e < 1",)

_entry = with_topic(own_entry, "user")

SMOOTHING = (
    _entry(
        "label smoothing",
        "smoothing",
        "smoothed negatives weaken the pull on the one positive, the more the better they fit",
        r"p_c = \frac{(1 - e) e^{-s_c}}{1 + (1 - e) e^{-s_c} + e \sum_{k \ne c} e^{-s_k}},"
        r" \quad \frac{p_c(\text{hard})}{p_c} = 1 +"
        r" \frac{e (1 + \sum_{k \ne c} e^{-s_k})}{(1 - e)(1 + e^{-s_c})}",
        Decided(
            equation(of.smoothed(of.SLOPE_OF_A, of.E, 1 - of.E), -of.SMOOTH_PULL),
            equation(of.smoothed(of.SLOPE_OF_A, S.Zero, S.One), -of.HARD_PULL),
            equation(of.HARD_PULL / of.SMOOTH_PULL, of.LOST),
        ),
        SMOOTHED,
        "Every negative is now in the positive sum with weight e, and e^{-s_k} is large where the "
        "model is right. With negatives at their best score the sum is about n sqrt(e): the pull "
        "is halved at e = 1/n^2 already.",
    ),
    _entry(
        "label smoothing",
        "smoothing-size",
        "e = 0.05, 10 000 labels: the pull is lost by factors 264, 1147, 39 000",
        r"\frac{p_c(\text{hard})}{p_c} > 264, \; 1147, \; 39\,000"
        r" \text{ at } s_k = 0, \; \tfrac12 \mathrm{logit}(e), \; -5",
        Witnessed(of.smoothing_loses),
        (r"s_c = 0, \; t_c = 0.95, \; 9999 \times t_k = 0.05",),
        "264 before the first step; 1147 where the negatives have the scores that their labels ask "
        "for.",
        Verdict.PROVED_FOR,
    ),
    _entry(
        "label smoothing",
        "smoothing-bce",
        "binary cross-entropy loses nothing by it: the slope is only shifted by e",
        r"\partial_c \mathrm{BCE} = \sigma(s_c) - 1 + e",
        Decided(
            equation(of.smoothed(of.BCE_SLOPE, of.E, 1 - of.E), d9064.sigmoid(s[c]) - 1 + of.E)
        ),
        SMOOTHED,
        "A value of e that was tuned for binary cross-entropy is not one for ZLPR.",
    ),
    _entry(
        "label smoothing",
        "smoothing-one-sided",
        "smooth the positives alone: the pull stays, for any number of labels",
        r"p_c = \frac{(1 - e) e^{-s_c}}{1 + (1 - e) e^{-s_c}} \ge (1 - e) \, p_c(\text{hard})",
        Decided(
            equation(of.smoothed(of.SLOPE_OF_A, S.Zero, 1 - of.E), -of.ONE_SIDED_PULL),
            equation(
                of.ONE_SIDED_PULL - (1 - of.E) * of.HARD_PULL,
                of.E * of.ONE_SIDED_PULL * of.HARD_PULL,
            ),
        ),
        (r"t_c = 1 - e, \; t_k = 0 \text{ for } k \ne c, \; 0 < e < 1",),
        "A negative with the label 0 is in the negative sum only.",
    ),
)

CLIPPING = (
    _entry(
        "labels clipped to [e, 1 - e]",
        "clip",
        "a clip of the labels pushes confident negatives up",
        r"g_i = \frac{(1 - e) e^{-s_i}}{B} (e^{2 s_i} - \frac{e}{1 - e} \cdot \frac BA) < 0"
        r" \Leftrightarrow s_i < \tfrac12 \log \tfrac{e}{1 - e} + \tfrac12 \log \tfrac BA",
        Decided(equation(of.CLIPPED, of.CLIPPED_SIGN)),
        (r"t_i = e, \; 0 < e < 1",),
        "For the 1e-7 of document 9064 and one label the bound is -8.06. A clip is needed only by "
        "code that takes log t; this library takes none.",
    ),
    _entry(
        "labels clipped to [e, 1 - e]",
        "clip-size",
        "at s = -20 a negative is pushed up with 97 % of the largest gradient there is",
        r"g(-20) < -0.97, \; g(-9) < -0.0006, \; g(-8) > 0.00003",
        Witnessed(of.clip_turns_the_gradient),
        (r"n = 1, \; t = 10^{-7}",),
        note="For every clip and any number of labels: own-user-clip.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "labels clipped to [e, 1 - e]",
        "clip-code",
        "the code that 9064 prints does so, as its masks never act",
        r"\frac{\mathrm{code}(0, -19.99) - \mathrm{code}(0, -20.01)}{0.02} < -0.97",
        in_floats(of.printed_code_turns),
        (r"\text{float64}",),
        "See 9064-39c for why they do not.",
        Verdict.PROVED_FOR,
    ),
    _entry(
        "labels clipped to [e, 1 - e]",
        "clip-crowd",
        "and 9999 good negatives drown the one positive",
        r"p_c > 80 \, p_c(\text{clipped}), \; l(\text{clipped}) > l + 4",
        Witnessed(of.clip_drowns_the_positive),
        (r"s_c = 0, \; 9999 \times s_k = -12, \; e = 10^{-7}",),
        "The same as smoothing by 1e-7.",
        Verdict.PROVED_FOR,
    ),
)

MIXING = (
    _entry(
        "mixup",
        "mixing",
        "soft ZLPR is concave in the labels: the loss of a mixture is above the mixed losses",
        r"\frac{d^2}{d\tau^2} l(s, t + \tau d)|_{\tau = 0} = -\frac{(\sum_k d_k e^{-s_k})^2}{A^2}"
        r" - \frac{(\sum_k d_k e^{s_k})^2}{B^2} \le 0",
        Decided(
            equation(of.SECOND, -of.BENT, UNIT),
            at_least(of.TURNS[0] ** 2),
            at_least(of.TURNS[1] ** 2),
        ),
        UNIT.describe(),
        "Equal only where both sums vanish, so that A and B are those of either. Mixing labels and "
        "mixing losses are two different trainings, with other minima: sigma(2s) against what "
        "own-prob-hard says.",
    ),
    _entry(
        "mixup",
        "mixing-even",
        "what an even mixture costs, exactly",
        r"l(s, \tfrac{t + u}{2}) - \tfrac{l(s, t) + l(s, u)}{2} ="
        r" \tfrac12 \log(1 + \tfrac{(A_t - A_u)^2}{4 A_t A_u})"
        r" + \tfrac12 \log(1 + \tfrac{(B_t - B_u)^2}{4 B_t B_u}) \ge 0",
        Decided(
            equation(of.EVEN - (d9064.SOFT + of.OTHER) / 2, of.EVEN_GAP, BOTH),
            at_least(of.EVEN_GAP, S.Zero, BOTH),
        ),
        BOTH.describe(),
    ),
    _entry(
        "mixup",
        "mixing-size",
        "two opposite rows mixed evenly: 1.7 more",
        r"l(s, (\tfrac12, \tfrac12)) > \tfrac12 l(s, (1, 0)) + \tfrac12 l(s, (0, 1)) + 1.7",
        Witnessed(of.mixing_example),
        (r"s = (3, -3)",),
        note="For any two rows of labels: own-user-mixing-even.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "mixup",
        "mixing-bce",
        "for binary cross-entropy the two are one",
        r"\mathrm{BCE}(s, \lambda t + (1 - \lambda) u) = \lambda \mathrm{BCE}(s, t)"
        r" + (1 - \lambda) \mathrm{BCE}(s, u)",
        Decided(equation(of.MIXED_BCE, of.BCE_OF_MIX)),
        note="As for softmax cross-entropy: both are linear in the labels.",
    ),
)

REDUCING = (
    _entry(
        "reductions",
        "flat-batch",
        "a batch flattened into one row mixes its rows: every pull is divided by what others hold",
        r"\frac{t_{pi} e^{-s_{pi}}}{1 + \sum_{qk} t_{qk} e^{-s_{qk}}} \le"
        r" \frac{t_{pi} e^{-s_{pi}}}{1 + \sum_k t_{pk} e^{-s_{pk}}}",
        Decided(
            equation(of.FLAT_SLOPE, -of.ROW_TERM / of.FLAT_A),
            equation(of.ROW_SLOPE, -of.ROW_TERM / of.ROW_A),
            equation(of.FLAT_A - of.ROW_A, of.OTHER_ROWS),
        ),
        (r"t_{pi} \in [0, 1]",),
        "The loss has one value a row: log inside, then sum or mean over rows. A wrong axis gives "
        "no error.",
    ),
    _entry(
        "reductions",
        "flat-batch-size",
        "256 rows flattened: 128 times less pull",
        r"p(\text{row}) / p(\text{flat}) > 128",
        Witnessed(of.flattened_batch),
        (r"256 \text{ rows, one positive at } 0 \text{ in each}",),
        note="For any batch: own-user-flat-batch.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "reductions",
        "mean-inside",
        "a mean in place of the sum inside the logs keeps the minimum and divides the pull",
        r"\partial_i = \frac{(1 - t_i) e^{s_i}}{n + \sum_k (1 - t_k) e^{s_k}}"
        r" - \frac{t_i e^{-s_i}}{n + \sum_k t_k e^{-s_k}} = 0 \text{ at } t = \sigma(2s)",
        Decided(
            equation(of.MEAN_SLOPE, of.MEAN_GRADIENT, UNIT),
            equation(d9064.at_link(of.MEAN_GRADIENT), S.Zero),
        ),
        UNIT.describe(),
        "So a check of the optimum does not see it.",
    ),
    _entry(
        "reductions",
        "mean-inside-size",
        "one positive among 10 000 labels: 5000 times less pull",
        r"\tfrac12 : \tfrac1{10\,001} > 5000",
        Witnessed(of.mean_inside),
        (r"s_c = 0, \; t_c = 1, \; 9999 \times t_k = 0",),
        note="For every n: own-user-mean-inside.",
        verdict=Verdict.PROVED_FOR,
    ),
)

WEIGHTING = (
    _entry(
        "weights of positives and negatives",
        "weights",
        "a weight on the terms of a label moves its best score by half its log, and no other",
        r"\min_s \log(1 + \sum_i w_i t_i e^{-s_i}) + \log(1 + \sum_i u_i (1 - t_i) e^{s_i})"
        r" = 2 \log(1 + \sum_i \sqrt{w_i u_i t_i (1 - t_i)})"
        r" \text{ at } t_i = \sigma(2 s_i - \log \tfrac{w_i}{u_i})",
        Decided(
            equation(weights.A * weights.B - weights.FLOOR**2, weights.SQUARES, UNIT),
            at_least(weights.SQUARES, S.Zero, UNIT),
            equation(partial(weights.WEIGHTED, s[i]), weights.GRADIENT, UNIT),
            equation(weights.at_weighted_link(t[i]), weights.WEIGHTED_LINK),
            equation(weights.at_weighted_link(weights.GRADIENT), S.Zero),
        ),
        (*UNIT.describe(), r"w_i, u_i > 0"),
        "The same as another threshold: no weight makes a rare label better known, and sigma(2s) "
        "is not its probability any more.",
    ),
    _entry(
        "weights of positives and negatives",
        "weights-size",
        "a weight of 10 calls a label of 0.2 present, with 0.71",
        r"s^* = \tfrac12 \log \tfrac{10 \cdot 0.2}{0.8} > 0.45, \; \sigma(2 s^*) > 0.71;"
        r" \quad w = 1: s^* < -0.69",
        Witnessed(weights.weight_of_ten),
        (r"t = 0.2, \; w = 10, \; u = 1",),
        note="For all weights: own-user-weights.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "sampled negatives, masks",
        "left-out",
        "labels left out of a row do not move the minimum of those that are kept",
        r"\partial_i \log(1 + \sum_k y_k t_k e^{-s_k}) +"
        r" \partial_i \log(1 + \sum_k y_k (1 - t_k) e^{s_k})"
        r" = 0 \text{ at } t = \sigma(2s)",
        Decided(
            equation(partial(weights.KEPT, s[i]), weights.KEPT_GRADIENT, KEPT),
            equation(d9064.at_link(weights.KEPT_GRADIENT), S.Zero, hard(y)),
        ),
        (*UNIT.describe(), r"y_k = 1 \text{ if kept, else } 0"),
        "With soft labels. With hard ones a score depends on what else is in the row "
        "(own-prob-hard), so also on how negatives are sampled.",
    ),
)

ENTRIES = (*SMOOTHING, *CLIPPING, *MIXING, *REDUCING, *WEIGHTING)
