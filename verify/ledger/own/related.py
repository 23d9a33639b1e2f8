"""The losses that 9064 compares with: which probability a score of theirs stands for, and how."""

from __future__ import annotations

from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Derived

__all__ = ["ENTRIES"]

HARD = (r"y \in \{0, 1\}",)
FREQUENCY = (r"P(y = 1) = \eta", r"p = \sigma(s), \; q = 1 - p")

ENTRIES = (
    entry_at(
        "own",
        "for 9064-49",
        "focal-link",
        "the best score of focal loss for a label of probability eta is not its logit",
        r"\frac{\eta}{1 - \eta} = \frac{p^\gamma (p + \gamma q \log \frac1q)}"
        r"{q^\gamma (q + \gamma p \log \frac1p)}",
        Verdict.PROVED,
        Derived(
            "focal",
            "link",
            "pushed down by F'(-s), pulled up by F'(s)",
            "odds of the link less odds of the label",
            "times a positive number",
            "at gamma = 2 and p = 0.9 they are 380 to 1, not 9",
        ),
        FREQUENCY,
        note="Read as sigma(s) a score is too modest: at gamma = 2, sigma(s) = 0.9 stands for "
        "0.9974. s = 0 stands for 1/2.",
    ),
    entry_at(
        "own",
        "for 9064-49, 9064-50",
        "focal-soft",
        "a focal loss for soft labels: that of hard ones at its ends, 0 exactly at t = sigma(s)",
        r"|p - t|^\beta \, \mathrm{BCE}(t, s), \quad t \in \{0, 1\}: \mathrm{focal},"
        r" \quad t = p: 0",
        Verdict.PROVED,
        All(
            Derived("soft_focal", "value", "p - t = (1 - t) p - t q, as p + q = 1"),
            Derived("soft_focal", "hard-labels", "|p - y| is 1 - p or p", "and so is the gradient"),
            Derived(
                "soft_focal",
                "optimum",
                "at beta = 2",
                "is 0 at t = sigma(s)",
            ),
        ),
        (r"t \in [0, 1], \; \beta > 0", r"\text{the slope: } \beta = 2"),
        note="The quality focal loss of arXiv:2006.04388: what 9064-50 has in mind has a label to "
        "each factor here. With soft labels its scores are logits, with hard ones those of focal.",
    ),
    entry_at(
        "own",
        "for 9064-49",
        "focal-concave",
        "focal and asymmetric loss are not convex: a badly wrong label has negative curvature",
        r"F''(-4) < 0 \; (\gamma = 2), \quad G''(4) < 0 \; (\gamma_- = 4, \, m = 0.05)",
        Verdict.PROVED,
        All(
            Derived(
                "focal",
                "convexity",
                "a positive at s = -4, gamma = 2: minus the curvature is positive",
            ),
            Derived(
                "asymmetric",
                "convexity",
                "a negative at s = 4, exponent 4, margin 0.05: minus the curvature is positive",
            ),
        ),
        HARD,
    ),
    entry_at(
        "own",
        "for 9064-58",
        "asymmetric-link",
        "the best score of asymmetric loss for a label of probability eta; s = 0 stands for 0.128",
        r"\frac{\eta}{1 - \eta} = \frac{p q \, d^{\gamma_- - 1} (\gamma_- \log \frac1{1 - d}"
        r" + \frac d{1 - d})}{q^{\gamma_+} (q + \gamma_+ p \log \frac1p)}, \quad d = p - m > 0",
        Verdict.PROVED,
        Derived(
            "asymmetric",
            "link",
            "pushed down by G, pulled up by F",
            "odds of the link less odds of the label",
            "at the default parameters s = 0 has the odds 0.146: eta = 0.128",
        ),
        FREQUENCY,
        note="gamma_+ = 0, gamma_- = 4, m = 0.05 are the defaults. A negative with p < m has no "
        "slope at all, and odds above 0.95^3 (4 log 20 + 19) = 26.6 have no finite score.",
    ),
    entry_at(
        "own",
        "for 9064-59, 7359-9",
        "circle-unweighted",
        "Circle loss with all weights 1 is the unified loss with the margin 1 - 2 m",
        r"\log(1 + \sum_{neg} e^{c (s_i - m)} \sum_{pos} e^{-c (s_j - 1 + m)})"
        r" = \log(1 + \sum_{neg, pos} e^{c (s_i - s_j + 1 - 2 m)})",
        Verdict.PROVED,
        Derived("circle", "unweighted", "the unified loss"),
        HARD,
        note="With its weights it is the same loss of the energies c (s^2 - m^2) and "
        "c ((1 - s)^2 - m^2): equal losses lie on a circle.",
    ),
    entry_at(
        "own",
        "for 9064-59",
        "circle-field",
        "Circle loss trained with its weights held fixed follows the gradient of no function",
        r"\partial_j F_i - \partial_i F_j = 2 c^2 m (s_i - s_j) \frac{e^{x_i + x_j} P^2}"
        r"{(1 + N P)^2}, \quad F_i = c (s_i + m) \frac{e^{x_i} P}{1 + N P}",
        Verdict.PROVED,
        Derived("circle", "detached", "the Jacobian is not symmetric"),
        (r"i, j \text{ negatives with } s > -m", r"x_i = c (s_i^2 - m^2)"),
        note="A gradient has a symmetric Jacobian. The gradient of the loss has 2 s in the place "
        "of s + m, and pulls a negative to 0, not to -m.",
    ),
    entry_at(
        "own",
        "for 9064-59",
        "circle-uphill",
        "for a negative between -m and 0 that field leads up the loss",
        r"\partial_i l = 2 c s_i \frac{e^{x_i} P}{1 + N P} < 0"
        r" < F_i = c (s_i + m) \frac{e^{x_i} P}{1 + N P}",
        Verdict.PROVED,
        Derived(
            "circle",
            "detached",
            "slope of the loss",
            "for a negative between -m and 0 minus the slope is positive",
            "and so is the field: a step against it leads up the loss",
        ),
        (r"-m < s_i < 0",),
        note="A loss that grows in training is no error there. One positive at 0.5 and a negative "
        "at -0.1: a step down to -0.15 raises the loss by 256 (0.15^2 - 0.1^2) = 3.2 in energy.",
    ),
    entry_at(
        "own",
        "for 9064-59",
        "circle-mask",
        "a negative below -m counts as e^0 in Circle loss: a finite mask does not leave it out",
        r"s \le -m: \; e^{c \max(s + m, 0)(s - m)} = 1",
        Verdict.PROVED,
        Derived(
            "circle",
            "value",
            "below -m a negative counts as e^0, not as nothing",
            "above -m the energy is c (s^2 - m^2)",
        ),
        HARD,
        note="A score of -1e7 or -1e12 adds P inside the log, as much as one at -m; its slope is "
        "0. Only a label taken out (-inf here) adds nothing.",
    ),
)
