"""The hinge family: how the losses that lead from hinge to cross-entropy are ordered."""

from __future__ import annotations

from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Derived

__all__ = ["ENTRIES"]

ONE_HOT = (r"y \text{ one-hot}",)

ENTRIES = (
    entry_at(
        "own",
        "for SURVEY-25, SURVEY-29",
        "hinge-order",
        "hinge and the hinge of log-sum-exp are both at least the hinge of the maximum",
        r"\sum_{i \ne y} \max(x_i, 0) \ge \max(\max_{i \ne y} x_i, 0) \le"
        r" \max(\log \sum_{i \ne y} e^{x_i}, 0), \quad x_i = z_i - z_y + m",
        Verdict.PROVED,
        All(
            Derived(
                "hinge",
                "order",
                "less the leads with weights in [0, 1]",
                "every term is non-negative",
                "weights that give the largest",
            ),
            Derived(
                "lse_hinge",
                "definition",
                "one class and the rest",
                "the lead of all over the lead of one, as exponentials",
                "hence at least the max-hinge",
            ),
        ),
        ONE_HOT,
        note="Hinge and the hinge of log-sum-exp themselves are in no order: with two others, both "
        "at x = -0.5, the first is 0 and the second 0.19; both at 2, they are 4 and 2.69.",
    ),
    entry_at(
        "own",
        "for SURVEY-35, SURVEY-37",
        "hinge-softplus",
        "cross-entropy is above the hinge of log-sum-exp, by at most log 2",
        r"0 < -\log \mathrm{softmax}(z)_y - \max(\mathrm{LSE}_{i \ne y} - z_y, 0)"
        r" = \log(1 + e^{-|x|}) \le \log 2",
        Verdict.PROVED,
        Derived(
            "lse_hinge",
            "softplus",
            "the gap is even in x",
            "short of log 2 by",
            "hence at most the ramp and log 2",
            "of the lead: cross-entropy",
        ),
        (*ONE_HOT, r"x = \mathrm{LSE}_{i \ne y} - z_y"),
        note="All of the gap, log 2, is at the boundary x = 0, where the target has probability "
        "1/2: both smoothings together add the most where they are needed.",
    ),
    entry_at(
        "own",
        "for SURVEY-22, SURVEY-25, SURVEY-29",
        "hinge-convex",
        "all three are convex in the scores: above each of their tangents",
        r"L(u) \ge L(z) + \langle g(z), u - z \rangle",
        Verdict.PROVED,
        All(
            Derived(
                "hinge",
                "convexity",
                "where the step is 1 a ramp is missing, where it is 0 there is one",
                "every term is non-negative: above each tangent",
            ),
            Derived(
                "max_hinge",
                "convexity",
                "the largest at u is above the entry that leads at s",
                "every term is non-negative: above each tangent",
            ),
            Derived(
                "lse_hinge",
                "convexity",
                "complete the squares",
                "off the kink: every term is non-negative",
                "across it: the tangent of a ramp",
                "is below the ramp, which rises",
            ),
        ),
        ONE_HOT,
        note="The first two at all scores u, kinks or not, from every z off them; the third by its "
        "curvature off the kink and by the ramp across it.",
    ),
)
