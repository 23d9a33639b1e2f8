"""Document 9064, sections 16 to 18: information, likelihood, geometry."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, exp, log

from derive.axis import total
from derive.calculus import partial
from derive.facts import Facts
from derive.losses.symbols import LABELS, i, j, k, s, t
from verify.ledger.d9064.equations import (
    GIVEN,
    GIVEN_OPEN,
    LINKED,
    OPEN,
)
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import Contrary, Decided, IllPosed, Witnessed
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_views as views
from verify.ledger.own.soft import (
    KL_AND_ENTROPY,
    ONE_LIKELIHOOD,
)
from verify.ledger.statement import above, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9064")
_sixteen, _seventeen, _eighteen = (with_place(_at, f"s{n}") for n in (16, 17, 18))

#: Scores of finitely many values with weights, soft labels inside (0, 1).
VALUES = Facts(open_unit=frozenset([t]), distribution=frozenset([views.WEIGHTS]))
NOT_LIKELIHOOD = Contrary(
    "e^-L over all labels is more than 1", Witnessed(views.likelihood_of_two), ONE_LIKELIHOOD
)

INFORMATION = (
    _sixteen(
        "51",
        "mutual information",
        r"I(T; S) = H(T) - H(T | S)",
        Verdict.PROVED,
        Decided(equation(views.INFORMATION, views.MUTUAL, VALUES)),
        VALUES.describe(),
        note="Of a label 0 or 1 and scores of finitely many values k with weights w_k.",
    ),
    _sixteen(
        "S16a",
        "the loss can be understood as maximising I(T; S)",
        r"\min L \Leftrightarrow \max I(T; S)",
        Verdict.REFUTED,
        Contrary(
            "I(T; S) is that of -S, the loss is not",
            Witnessed(views.turned_scores),
            KL_AND_ENTROPY,
        ),
        correction="own-soft-cross-entropy",
    ),
    _sixteen(
        "52",
        "the expected loss is KL and a constant",
        r"E[L] \approx \mathrm{KL}(q(t) \| p(t | s)) + \mathrm{const}",
        Verdict.REFUTED,
        Contrary(
            "between two scores it grows by half as much",
            Witnessed(views.divergences_differ),
            KL_AND_ENTROPY,
        ),
        correction="own-soft-cross-entropy",
        note="Taken with p = sigma(2s). It is so of binary cross-entropy with p = sigma(s).",
    ),
    _sixteen(
        "53",
        "the entropy of a label is what binary cross-entropy has at sigma(s) = t",
        r"H(t) = -t \log t - (1 - t) \log(1 - t)",
        Verdict.PROVED,
        Decided(
            equation(
                of.sigmoid(s[i]) * log(1 + exp(-s[i]))
                + (1 - of.sigmoid(s[i])) * log(1 + exp(s[i])),
                views.entropy(of.sigmoid(s[i])),
            )
        ),
    ),
    _sixteen(
        "S16b",
        "the soft loss implicitly optimises the target entropy of binary cross-entropy",
        r"\min_s L = H(t)",
        Verdict.REFUTED,
        Contrary(
            "its minimum is another, and no score changes H(t)",
            Witnessed(views.least_and_entropy),
            KL_AND_ENTROPY,
        ),
        GIVEN_OPEN,
        "own-soft-cross-entropy",
    ),
    _seventeen(
        "54",
        "the loss is a negative log-likelihood",
        r"L = -\log p(t | s)",
        Verdict.REFUTED,
        NOT_LIKELIHOOD,
        correction="own-soft-likelihood",
    ),
    _seventeen(
        "55",
        "the posterior",
        r"p(t | s) \propto p(s | t) p(t)",
        Verdict.PROVED,
        Decided(
            equation(views.POSTERIOR / (1 - views.POSTERIOR), exp(s[i] - s[j]) * of.ODDS, OPEN)
        ),
        GIVEN_OPEN,
        note="Of a label 0 or 1 with the prior t and the likelihoods e^s_i and e^s_j.",
    ),
    _seventeen(
        "S17a",
        "with a uniform prior the most probable is the most likely",
        r"p(k | x) = \frac{\ell_k / n}{\sum_l \ell_l / n} = \frac{\ell_k}{\sum_l \ell_l}",
        Verdict.PROVED,
        Decided(
            equation(
                exp(s[i]) / LABELS.size / total(exp(s[k]) / LABELS.size, k),
                exp(s[i]) / total(exp(s[k]), k),
            )
        ),
        (r"\ell_k = e^{s_k}",),
    ),
    _seventeen(
        "56",
        "a joint distribution by either margin",
        r"p(t, s) = p(s) p(t | s) = p(t) p(s | t)",
        Verdict.PROVED,
        Decided(
            equation(views.JOINT, views.OF_FIRST[0] * views.OF_FIRST[1]),
            equation(views.JOINT, views.OF_SECOND[0] * views.OF_SECOND[1]),
        ),
    ),
    _seventeen(
        "S17b",
        "the loss optimises p(t | s)",
        r"\min L \Leftrightarrow \max \log p(t | s)",
        Verdict.REFUTED,
        NOT_LIKELIHOOD,
        correction="own-soft-likelihood",
        note="As 9064-54: e^-L is no distribution of the labels.",
    ),
    _seventeen(
        "S17c",
        "distillation is the teacher's p(t) as a prior",
        r"p(t | s) \propto p(s | t) p_{teacher}(t)",
        Verdict.ILL_POSED,
        IllPosed(
            "the teacher's p(t)",
            "a teacher has a distribution p(t | x) for each input, a prior in eq. 55 depends on "
            "none; with p(t | x) distillation is eq. 16 with the teacher's labels",
        ),
    ),
)

GEOMETRY = (
    _eighteen(
        "57",
        "scores are linear in the logits of the labels",
        r"s_i = \tfrac12 \mathrm{logit}(t_i)",
        Verdict.PROVED,
        Decided(equation(of.at_link(of.SCORE_OF_LABEL), s[i])),
        assumptions=LINKED,
    ),
    _eighteen(
        "S18a",
        "on the probability simplex the loss defines a Bregman divergence",
        r"D(t, s) = L(t, s) - \min_s L(t, s)",
        Verdict.REFUTED,
        Contrary(
            "a difference of two Bregman divergences of t is affine in t, and this is not",
            Witnessed(views.not_affine),
            KL_AND_ENTROPY,
        ),
        GIVEN,
        "own-soft-cross-entropy",
        "Nor are soft labels on a simplex: they do not sum to 1.",
    ),
    _eighteen(
        "S18b",
        "sigma(2s) is a diffeomorphism onto (0, 1)^n",
        r"\tfrac12 \mathrm{logit}(\sigma(2s)) = s, \; \frac{d}{ds} \sigma(2s) > 0",
        Verdict.PROVED,
        Decided(
            equation(log(of.sigmoid(2 * s[i]) / of.sigmoid(-2 * s[i])) / 2, s[i]),
            equation(of.sigmoid(2 * of.SCORE_OF_LABEL), t[i], OPEN),
            equation(partial(of.sigmoid(2 * s[i]), s[i]), views.SLOPE_OF_LABEL),
            above(views.SLOPE_OF_LABEL, S.Zero),
        ),
        note="Label by label, so that the matrix of derivatives is diagonal.",
    ),
)

ENTRIES = (*INFORMATION, *GEOMETRY)
