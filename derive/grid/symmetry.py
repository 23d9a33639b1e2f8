"""Why the link is ``softmax(2s)``, and which losses have it.

Let the loss be any smooth function F of the terms ``a_ijk = t_ij e^{s_ik - s_ij}``, ``j != k``.
With ``F'_ijk`` its derivatives the gradient is

    g_ij = sum_{k != j} (a_ikj F'_ikj - a_ijk F'_ijk).

At ``t = softmax(2s)`` a term equals its mirror image, ``a_ijk = a_ikj = e^{s_ij + s_ik} / Z_i``. If
F is the same for the mirror images of all terms, ``F(a) = F(a^T)``, so are its derivatives at such
a point, and the gradient vanishes. For n labels of two classes this is
``Phi(t e^{-s}) + Phi((1-t) e^s)``, stationary at ``t = sigma(2s)``.

The pairwise and the mirrored loss have this symmetry, and with order-r sums in place of sums. The
truncated loss has not: at ``t = softmax(2s)`` it is stationary only where all ``D_j`` are equal.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, S, exp, log

from derive.axis import Index, array, total
from derive.calculus import map_entries, partial, resolve
from derive.coefficients import Z as z
from derive.coefficients import coefficient, order
from derive.derivation import Derivation
from derive.facts import strictly_soft
from derive.grid.sums import SAMPLES, apart, h, i, j, k, l, p, s, t, term
from derive.grid.theory import at_softmax2, begin, shared

#: ``F'_ijk``, and a term of which nothing is known but that it is not negative.
slope, a = array("F"), array("a", nonnegative=True)
D = array("D", positive=True)
#: Labels and scores of n labels of two classes.
label, score, slope2 = array("y"), array("x"), array("Phi")

Term = Callable[[Index, Index, Index], Expr]


def gradient(slopes: Term) -> Expr:
    """``sum_{k != j} (a_ikj F'_ikj - a_ijk F'_ijk)``."""
    toward, away = term(i, k, j) * slopes(i, k, j), term(i, j, k) * slopes(i, j, k)
    return total(apart(j, k) * (toward - away), k)


def _entry(sample: Index, own: Index, other: Index) -> Expr:
    return slope[sample, own, other]


def _symmetric(sample: Index, own: Index, other: Index) -> Expr:
    """A slope that is that of the mirror image too."""
    return slope[sample, own, other] + slope[sample, other, own]


def meeting(sample: Index, own: Index, other: Index) -> Expr:
    """``e^{s_ij + s_ik} / Z_i``."""
    return exp(s[sample, own] + s[sample, other]) / total(exp(2 * s[sample, h]), h)


def derive_stationarity() -> Derivation:
    """Every loss that is symmetric in a term and its mirror image is stationary there."""
    title = "Stationary at t = softmax(2s): every loss that does not tell a_ijk from a_ikj"
    chained = total(
        total(total(apart(h, l) * slope[p, h, l] * partial(term(p, h, l), s[i, j]), l), h), p
    )
    chain = begin("why-two", title, chained).to("chain rule", gradient(_entry))
    mirror = at_softmax2(term(i, j, k)), meeting(i, j, k)
    chain = chain.lemma("at t = softmax(2s) a term is its mirror image", *mirror)
    note = "F(a) = F(a^T): so are the derivatives, and mirror images cancel"
    symmetric = at_softmax2(gradient(_symmetric))
    chain = chain.lemma("where the derivatives are symmetric too", symmetric, S.Zero, note)
    return _two_classes(chain)


def _two_classes(chain: Derivation) -> Derivation:
    """``Phi(t e^{-s}) + Phi((1 - t) e^s)``, for n labels of two classes."""
    link = 1 / (1 + exp(-2 * score[i]))
    positive, negative = label[i] * exp(-score[i]), (1 - label[i]) * exp(score[i])
    at_link = [map_entries(e, label, lambda _: link) for e in (positive, negative)]
    chain = chain.assuming(strictly_soft(label))
    chain = chain.lemma("two classes: at t = sigma(2s) both arguments are one", *at_link)
    both = slope2[i] * resolve(partial(positive, score[i]) + partial(negative, score[i]))
    whole = map_entries(both, label, lambda _: link)
    return chain.lemma("so Phi(t e^-s) + Phi((1 - t) e^s) is stationary there", whole, S.Zero)


def _mirrored(expression: Expr) -> Expr:
    return map_entries(expression, a, lambda sample, own, other: a[sample, other, own])


def _both(body: Expr) -> Expr:
    return total(total(apart(j, k) * body, k), j)


def derive_members() -> Derivation:
    """The pairwise and the mirrored loss are symmetric, the order-r ones too."""
    pairwise = _both(log(1 + total(a[p, j, k], p)))
    title = "Losses that do not tell a term from its mirror image"
    chain = begin("symmetric-losses", title, pairwise)
    chain = chain.to("pairwise", _mirrored(pairwise))
    own = total(log(1 + total(total(apart(j, k) * a[p, j, k], k), p)), j)
    other = total(log(1 + total(total(apart(j, k) * a[p, j, k], j), p)), k)
    mirrored = (own + other) / 2
    chain = chain.lemma("mirrored", mirrored, _mirrored(mirrored))
    rule = "of which the truncated loss is one half, the other its image"
    chain = chain.lemma(rule, other, _mirrored(own))
    chain = chain.lemma("pairwise with sums up to order r", *(_orders(of) for of in (_bare, _back)))
    return _minimum_of_orders(chain)


def _bare(sample: Index, own: Index, other: Index) -> Expr:
    return a[sample, own, other]


def _back(sample: Index, own: Index, other: Index) -> Expr:
    return a[sample, other, own]


def _orders(of: Term) -> Expr:
    """``sum_{j != k} log sum_{b <= r} e_b(a_jk)``, elementary symmetric polynomials over i."""
    elements = SAMPLES.product(1 + of(p, j, k) * z, p)
    return _both(log(coefficient(elements / (1 - z), order("r"))))


def _minimum_of_orders(chain: Derivation) -> Derivation:
    """Each pair is a loss of the lattice, with v and w a term and its mirror image."""
    offset = s[i, j] - s[i, k] - (log(t[i, j]) - log(t[i, k])) / 2
    split = term(i, j, k), shared(i, j, k) * exp(-offset)
    chain = chain.lemma("a term is h e^-rho, with h = sqrt(t_ij t_ik)", *split)
    mirror = term(i, k, j), shared(i, j, k) * exp(offset)
    note = "the sums over subsets of lattice.minimum: least where every rho is 0, at softmax(2s)"
    chain = chain.lemma("its mirror image h e^rho", *mirror, note)
    least = _orders(term), _orders(shared)
    return chain.lemma("the minimum", *(at_softmax2(of) for of in least))


def derive_truncated() -> Derivation:
    """At ``t = softmax(2s)`` loss 1 is stationary only if its D are one number."""
    title = "At t = softmax(2s) the truncated loss is stationary only where all D are equal"
    start = at_softmax2(gradient(lambda sample, own, other: 1 / D[own]))
    chain = begin("truncated-asymmetry", title, start)
    weighted = total(apart(j, k) * meeting(i, j, k) * (1 / D[k] - 1 / D[j]), k)
    chain = chain.to("F' = 1 / D_j, whatever the D are", weighted)
    inner = total(weighted / D[j], j)
    squares = total(total(apart(j, k) * meeting(i, j, k) * (1 / D[k] - 1 / D[j]) ** 2, k), j) / 2
    chain = chain.lemma("times 1 / D_j, over the classes", inner, -squares)
    root = apart(j, k) * (1 / D[k] - 1 / D[j])
    return chain.forces("where the gradient vanishes, so does this sum, and", squares, root)
