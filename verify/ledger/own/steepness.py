"""How steep and how curved soft ZLPR is, with the best constants, and the step that follows."""

from __future__ import annotations

from functools import partial as with_topic

from derive.facts import soft
from derive.losses.symbols import t
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import All, Decided, Derived, Witnessed
from verify.ledger.formulas import steepness as of
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

GIVEN = soft(t).describe()
CURVED = Derived("soft_zlpr", "smoothness", "so nothing is negative: v' H v <= 1/2 |v|^2")
STEP = Decided(
    equation(of.CHANGE, -of.STEP * (1 - of.STEP / 4) * of.NORM),
    at_least(of.STEP**2 * of.NORM / 4),
)

_entry = with_topic(own_entry, "steep", "the gradient of soft ZLPR")

ENTRIES = (
    _entry(
        "entry",
        "no component of the gradient reaches 1",
        r"|g_i| < 1",
        Derived(
            "soft_zlpr",
            "bounds",
            "1 - q_i is the mass of the others",
            "likewise",
            "hence grad_i < 1",
        ),
        GIVEN,
        "For any labels and scores; with one label this is the whole gradient.",
    ),
    _entry(
        "one-norm",
        "nor the sum of their sizes 2",
        r"2 - \sum_i u_i g_i = \tfrac1A + \tfrac1B + \sum_i (1 - u_i) q_i + (1 + u_i) p_i > 0"
        r" \text{ for } u_i \in [-1, 1], \text{ so that } \sum_i |g_i| < 2",
        Derived("soft_zlpr", "norms", "what the sum lacks of 2", "hence |g|_1 < 2"),
        GIVEN,
        "A row of 10 labels and one of 10 000 move their scores by at most as much in sum: a clip "
        "of the gradient by norm above 2 never acts.",
    ),
    _entry(
        "two-norm",
        "nor its Euclidean norm the root of 2",
        r"2 - |g|_2^2 = \tfrac1A + \tfrac1B"
        r" + \sum_i p_i (1 - p_i) + q_i (1 - q_i) + 2 p_i q_i > 0",
        Derived("soft_zlpr", "norms", "what the squares lack of 2", "hence |g|_2 < sqrt 2"),
        GIVEN,
    ),
    _entry(
        "best",
        "1, 2 and the root of 2 are the best constants from two labels on",
        r"q_i + p_j \to 2 \text{ for } s_i \to \infty, \; s_j \to -\infty, \; t_i < 1, \; t_j > 0",
        Derived(
            "soft_zlpr", "norms", "a share of each side lacks of 2", "of which each part goes to 0"
        ),
        GIVEN,
        "The other scores may be anything. With one label the best constant is 1 for all three.",
    ),
    _entry(
        "near",
        "a negative at 22 and a positive at -22 come within 1e-9 of all three",
        r"g_1 > 1 - 10^{-9}, \; |g|_1 > 2 - 10^{-9}, \; |g|_2 > \sqrt2 - 10^{-9}",
        Witnessed(of.bounds_are_met),
        (r"t = (0, 1), \; s = (22, -22)",),
        note="For any n from 2 on, in the limit: own-steep-best.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "curvature",
        "the curvature is at most 1/2, for any number of labels",
        r"0 \le v^\top H v \le \tfrac12 |v|^2",
        All(
            Derived("soft_zlpr", "convexity", "every term is non-negative: the loss is convex"),
            Derived(
                "soft_zlpr",
                "smoothness",
                "whatever the terms a, b are",
                "squares",
                "1 - 4ab has no scores in it",
            ),
            CURVED,
        ),
        GIVEN,
        "Scores that are linear in weights, s = W x, bend by at most |x|^2 / 2.",
    ),
    _entry(
        "curvature-best",
        "1/2 is attained: two labels 1/2 with scores 0, moved against each other",
        r"v^\top H v = \tfrac{2}{n + 2} |v|^2 - \tfrac{2}{(n + 2)^2} (\textstyle\sum_i v_i)^2",
        Derived("soft_zlpr", "smoothness", "labels 1/2, scores 0"),
        (r"t_i = \tfrac12, \; s_i = 0",),
        "The minimum. The form is |v|^2 / 2 for n = 2, v = (1, -1), and 4/9 |v|^2 for n = 1.",
    ),
    _entry(
        "step",
        "straight down the gradient a step below 4 never raises the loss",
        r"l(s - h g) \le l(s) - h |g|^2 + \tfrac12 h^2 \cdot \tfrac12 |g|^2"
        r" = l(s) - h (1 - \tfrac h4) |g|^2",
        All(CURVED, STEP),
        GIVEN,
        "By Taylor's theorem, as the curvature is at most 1/2 all along the step. The best promise "
        "is that of h = 2: the loss falls by |g|^2 at least. Of one row, by its scores.",
    ),
    _entry(
        "step-best",
        "a step above 4 can raise it, near a minimum at that",
        r"h = 4.1: \; |s_1 - h g_1| > |s_1|, \quad h = 3.9: \; |s_1 - h g_1| < |s_1|",
        Witnessed(of.steps_about_four),
        (r"t = (\tfrac12, \tfrac12), \; s = (0.1, -0.1)",),
        "There g_1 = tanh(s_1 / 2) and l = 2 log(1 + cosh s_1).",
        Verdict.PROVED_FOR,
    ),
)
