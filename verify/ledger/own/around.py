"""What the documents put around a loss: smoothed and mixed labels, a teacher's labels, spans."""

from __future__ import annotations

from functools import partial as given

from sympy import KroneckerDelta, S

from derive.axis import total
from derive.facts import distribution, hard, soft
from derive.labels.smoothing import among
from derive.losses.symbols import LABELS, c, i, k, t
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import All, Decided, Derived, Witnessed, in_floats
from verify.ledger.formulas import around as of
from verify.ledger.statement import equation

__all__ = ["ENTRIES"]

_labels = given(Derived, "labels")
_spans = given(Derived, "spans")
TARGET = KroneckerDelta(i, c)
EPSILON = (r"0 < \varepsilon < 1",)

_smoothing = given(own_entry, "around", "label smoothing")

SMOOTHING = (
    _smoothing(
        "smoothing-sum",
        says="smoothing by eps / n keeps a sum of 1, smoothing by eps / 2 does not for n > 2",
        statement=r"\sum_k ((1 - \varepsilon) t_k + \tfrac{\varepsilon}{n}) = 1, \quad"
        r" \sum_k ((1 - \varepsilon) t_k + \tfrac{\varepsilon}{2})"
        r" = 1 + \varepsilon (\tfrac n2 - 1)",
        evidence=All(
            _labels("smoothing", "the labels sum to 1", "no label is 0"),
            Decided(
                equation(
                    total((of.ODDS * t[k] + S.Half) / (1 + of.ODDS), k),
                    1 + (LABELS.size / 2 - 1) / (1 + of.ODDS),
                    distribution(t),
                )
            ),
        ),
        assumptions=(*distribution(t).describe(), *EPSILON),
        note="eps / n for classes that exclude each other (softmax), eps / 2 for labels by "
        "themselves (binary cross-entropy, ZLPR). The other way round is an error for n > 2.",
    ),
    _smoothing(
        "smoothing-conventions",
        says="eps shared by all n classes is eps (n - 1) / n shared by the others",
        statement=r"(1 - \varepsilon) y + \tfrac{\varepsilon}{n}"
        r" = (1 - \delta) y + \tfrac{\delta}{n - 1} (1 - y),"
        r" \quad \delta = \tfrac{n - 1}{n} \varepsilon",
        evidence=Decided(equation(among(TARGET), of.among_others(TARGET))),
        assumptions=EPSILON,
        note="PyTorch and Keras have the first, some of the literature the second: the same eps is "
        "not the same labels, by little for many classes and by a factor 2 for two.",
    ),
    _smoothing(
        "smoothing-gap",
        says="smoothed softmax cross-entropy is least at a finite gap, and pulls back beyond it",
        statement=r"s_c - s_k = \log(1 + n \tfrac{1 - \varepsilon}{\varepsilon})"
        r" \; \Rightarrow \; \mathrm{softmax}(s) = (1 - \varepsilon) y + \tfrac{\varepsilon}{n}",
        evidence=_labels(
            "smoothing-gap",
            "prediction less label",
            "log t of the target less log t of another class",
            "softmax with this gap is the label",
        ),
        assumptions=EPSILON,
        note="The loss is convex and flat along common shifts only: these are all minima. Scores "
        "can no longer say how sure the model is.",
    ),
    _smoothing(
        "smoothing-gap-size",
        says="the gap at eps = 0.1 for 10, 1000 and 30 000 classes",
        statement=r"4.5 < \log(1 + 9 n) < 4.55, \; 9.1 < \cdot < 9.15, \; 12.5 < \cdot < 12.55",
        evidence=Witnessed(of.gaps_of_smoothed_labels),
        note="For every eps and n: own-around-smoothing-gap.",
        verdict=Verdict.PROVED_FOR,
    ),
    _smoothing(
        "smoothing-each",
        says="with each label smoothed, soft ZLPR is least at half the scores of binary "
        "cross-entropy, of the same signs",
        statement=r"s^{\mathrm{BCE}} = \pm \log \tfrac{2 - \varepsilon}{\varepsilon}, \quad"
        r" s^{\mathrm{ZLPR}} = \pm \tfrac12 \log \tfrac{2 - \varepsilon}{\varepsilon}",
        evidence=_labels(
            "smoothing-each",
            "log-odds of the label: the best score of BCE",
            "at half of it both terms of soft ZLPR are equal",
        ),
        assumptions=(*hard(t).describe(), *EPSILON),
        note="At eps = 0.1 they are +-2.94 and +-1.47. The threshold 0 stays right for every "
        "eps below 1.",
    ),
    _smoothing(
        "smoothing-floor",
        says="smoothed soft ZLPR has a floor that grows with n and does not depend on the labels",
        statement=r"\min_s l = 2 \log(1 + \tfrac n2 \sqrt{\varepsilon (2 - \varepsilon)})",
        evidence=_labels(
            "smoothing-floor",
            "every term of A is the same",
            "and of B",
            "the term is sqrt(t (1 - t))",
        ),
        assumptions=(*hard(t).describe(), *EPSILON),
        note="eps that suits ten labels does not suit ten thousand: for the same floor, eps has "
        "to fall like 1 / n^2.",
    ),
)

_mixup = given(own_entry, "around", "mixup")

MIXING = (
    _mixup(
        "mixup-linear",
        "in both cross-entropies mixing labels is mixing losses, values and gradients",
        r"L(s, \lambda t + (1 - \lambda) u) = \lambda L(s, t) + (1 - \lambda) L(s, u)",
        _labels(
            "mixup-linear",
            "softmax cross-entropy is affine in the labels",
            "so is binary cross-entropy",
            "and so is its gradient",
        ),
        (r"0 < \lambda < 1", *distribution(t).describe()),
        "So code may mix either. Binary cross-entropy needs no labels that sum to 1.",
    ),
    _mixup(
        "mixup-zlpr",
        "in soft ZLPR the arguments of the logs are mixed, not the logs",
        r"A(\lambda t + (1 - \lambda) u) = \lambda A(t) + (1 - \lambda) A(u)",
        _labels("mixup-zlpr", "the arguments are affine in the labels", "the same labels twice"),
        (r"0 < \lambda < 1", *soft(t).describe()),
        "A log is concave, so that the loss of mixed labels is at least the mixed loss: mix the "
        "labels, as `lossproof.labels.mixup` does, and do not average losses in their place.",
    ),
)

_teacher = given(own_entry, "around", "distillation")
_STEPS = (
    "student less teacher",
    "nothing is left at the scores of the teacher",
    "to first order in b",
)

TEACHER = (
    _teacher(
        "temperature-softmax",
        says="at high temperature the gradient of distilled softmax cross-entropy is of order "
        "1 / T^2, and matches centred scores",
        statement=r"\partial_i L = \tfrac1T (p_i(s/T) - p_i(u/T))"
        r" = \tfrac{1}{T^2} \tfrac1n (d_i - \bar d) + O(T^{-3}), \quad d = s - u",
        evidence=_labels("temperature-softmax", *_STEPS),
        note="Hence the factor T^2 of Hinton, Vinyals and Dean (2015). The document's T > 1 "
        "without it changes the weight against the hard loss.",
    ),
    _teacher(
        "temperature-bce",
        says="the same of distilled binary cross-entropy, label by label",
        statement=r"\partial_i L = \tfrac1T (\sigma(s_i/T) - \sigma(u_i/T))"
        r" = \tfrac{1}{T^2} \tfrac14 d_i + O(T^{-3})",
        evidence=_labels("temperature-bce", *_STEPS),
    ),
    _teacher(
        "temperature-zlpr",
        says="the same of soft ZLPR with the labels sigma(2u/T), n labels tied together",
        statement=r"\partial_i L = \tfrac{1}{T^2} \left(\tfrac{2 d_i}{n + 2}"
        r" - \tfrac{2 \sum_k d_k}{(n + 2)^2}\right) + O(T^{-3})",
        evidence=_labels("temperature-zlpr", *_STEPS),
        note="T^2 makes up for the temperature, not for n: one label's gradient falls like 1 / n.",
    ),
    _teacher(
        "temperature-size",
        says="T^2 keeps the order of the gradient, not its size",
        statement=r"T^2 |\partial_1 L| < 0.5, \; < 1.7, \; > 2.49 \text{ at } T = 1, 4, 100;"
        r" \quad \to \tfrac52",
        evidence=Witnessed(of.temperature_squared_is_a_limit),
        note="Softmax cross-entropy of two classes, student (0, 0), teacher (10, 0): at T = 1 the "
        "teacher is sure, and the gradient saturates.",
        verdict=Verdict.PROVED_FOR,
    ),
    _teacher(
        "teacher-links",
        says="soft ZLPR learns the teacher's scores from sigma(2u/T), half of them from sigma(u/T)",
        statement=r"\tfrac12 \mathrm{logit}(\sigma(2u/T)) = u/T, \quad"
        r" \tfrac12 \mathrm{logit}(\sigma(u/T)) = \tfrac12 u/T",
        evidence=_labels("teacher", "of sigma(2u/T) the scores u/T", "of sigma(u/T) half of them"),
        note="The first for a teacher trained with soft ZLPR, whose probabilities are sigma(2u); "
        "of one trained with binary cross-entropy sigma(u) is the probability, and half its "
        "scores are right.",
    ),
)

_span = given(own_entry, "around", "GlobalPointer")

SPANS = (
    _span(
        "spans-relative",
        says="with rotary positions the score of a span depends on its two tokens and its length",
        statement=r"(R_{i+a} q)^\top (R_{j+a} k) = (R_i q)^\top (R_j k)",
        evidence=_spans(
            "relative",
            "rotations keep dot products",
            "and lengths",
            "by the angle between the positions",
        ),
        note="For any number of pairs of coordinates and any angles but pi of one token, where the "
        "tangent of half the angle is infinite; the score is continuous there.",
    ),
    _span(
        "spans-masks",
        says="a masked span with label 0 has no part in value and gradient of ZLPR",
        statement=r"\partial_i \log(1 + \sum_k m_k y_k e^{-s_k}) (1 + \sum_k m_k (1 - y_k) e^{s_k})"
        r" = m_i (\cdots)",
        evidence=_spans(
            "masks",
            "a factor m of each entry, 0 where masked",
            "the gradient of a masked span",
        ),
        assumptions=(r"m_k, y_k \in \{0, 1\}",),
        note="m = 0 is e^s = 0, the score -inf. A label above 0 there has an infinite loss: smooth "
        "only the labels that are kept.",
    ),
    _span(
        "spans-rows",
        says="heads in one row share one threshold and one pair of logs: another loss than the sum",
        statement=r"(1 + a)(1 + b) = 1 + (a + b) + a b",
        evidence=Decided(equation((1 + of.FIRST) * (1 + of.SECOND), of.IN_ONE_ROW + of.CROSSED)),
        note="a and b are the sums of two heads under one log: two losses have the log of the left "
        "side, one row has that of 1 + a + b. GlobalPointer takes a row for each head.",
    ),
)

_code = given(own_entry, "around", verdict=Verdict.PROVED_FOR)

CODE = (
    _code(
        "lossproof.labels",
        "code-labels",
        says="smoothed and distilled labels of this library keep their digits",
        statement=r"|\mathrm{fl}(t) - t| < 5 \cdot 10^{-15} \, t",
        evidence=in_floats(of.library_labels),
        note="In float64, at these rows: labels down to 1e-5 among them.",
    ),
    _code(
        "lossproof.spans",
        "code-spans",
        says="a span score of this library at positions 150 and 190",
        statement=r"|\mathrm{fl}(s) - \tfrac54 \sum_e \cos(40 \, \theta_e)| < 10^{-13}",
        evidence=in_floats(of.library_spans),
        note="In float64. Its two rotations are computed apart, the sum of cosines is what their "
        "product is: the score of the length 40.",
    ),
    _code(
        "GlobalPointer",
        "code-angles",
        says="rotary angles that are computed in float32 are wrong far into a text",
        statement=r"|\cos(\mathrm{fl}_{32}(i \theta)) - \cos(i \theta)| > 10^{-5}",
        evidence=in_floats(of.angles_of_float32),
        note="As in code that multiplies float32 positions and frequencies: the angle i theta has "
        "i theta 2^-24 of rounding error. This library has its tables from float64.",
    ),
)

ENTRIES = (*SMOOTHING, *MIXING, *TEACHER, *SPANS, *CODE)
