"""What all losses of n samples and m classes share: shifts of rows, and two classes.

A score enters only through its differences to the others of its sample, so that a constant added
to a row changes nothing. With two classes a sample has one difference ``x_i = s_i0 - s_i1`` and one
label ``t_i = t_i0``, and each loss is soft ZLPR of a multiple of x.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, Indexed, IndexedBase, Integer, KroneckerDelta, S, Sum

from derive.axis import Index, array, total
from derive.calculus import map_entries, opened
from derive.derivation import Derivation
from derive.facts import soft
from derive.grid.sums import CLASSES, j, p, s, v
from derive.losses.grid.derivations import names
from derive.losses.loss import SymbolicLoss, Topic
from derive.losses.symbols import s as scores
from derive.losses.symbols import t as labels

#: The constant that is added to each row.
SHIFT = array("a")


def derive_shift(loss: SymbolicLoss) -> Derivation:
    """A constant added to each row changes nothing: gradient and Hessian have these zeros."""
    shifted = map_entries(loss.value, s, lambda at, of: s[at, of] + SHIFT[at])
    chain = loss.begin("shift", "Invariance under a shift of each row", shifted)
    chain = chain.to("each shift cancels", loss.value)
    over_classes = total(loss.gradient, j)
    chain = chain.lemma(
        "the gradient of each row sums to zero", over_classes, S.Zero, named=names()
    )
    along = map_entries(loss.hvp, v, lambda at, of: SHIFT[at])
    return chain.lemma("the Hessian maps shifts to zero", along, S.Zero, named=names())


def topics(loss: Callable[[], SymbolicLoss], scale: Expr) -> dict[str, Topic]:
    """Both topics of a loss, which is asked for when one is derived."""
    return {
        "shift": lambda: derive_shift(loss()),
        "two-classes": lambda: derive_two_classes(loss(), scale),
    }


# Two classes ------------------------------------------------------------------------------------

FIRST, SECOND = array("s_0"), array("s_1")
#: Labels of the first class; those of the second are what is left of 1.
LABEL = array("t_0")


def at_two_classes(expression: Expr) -> Expr:
    """The expression for m = 2, its sums over classes written out, ``t_i1 = 1 - t_i0``."""
    return _written_out(expression, {}).xreplace({CLASSES.size: Integer(2)})


def _written_out(expression: Expr, classes: dict[Index, int]) -> Expr:
    if isinstance(expression, Sum):
        index, body = opened(expression)
        if index.axis == CLASSES:
            return sum((_written_out(body, {**classes, index: at}) for at in (0, 1)), S.Zero)
        return total(_written_out(body, classes), index)
    if isinstance(expression, Indexed):
        sample, of = expression.indices
        return _entry(expression.base, classes[of], sample)
    if isinstance(expression, KroneckerDelta) and expression.args[0] in classes:
        return KroneckerDelta(*(classes[index] for index in expression.args))
    if not expression.args:
        return expression
    return expression.func(*(_written_out(part, classes) for part in expression.args))


def _entry(base: IndexedBase, of: int, sample: Index) -> Expr:
    """A score of class 0 or 1, or its label."""
    if base == s:
        return (FIRST, SECOND)[of][sample]
    return LABEL[sample] if of == 0 else 1 - LABEL[sample]


def soft_zlpr_of(score: Expr) -> Expr:
    """Soft ZLPR over the samples, of a score written at ``p`` and the labels of class 0."""
    from derive.losses.zlpr import SOFT_ZLPR  # a family of its own, for this topic alone

    def over_samples(node: Expr) -> Expr:
        index, body = opened(node)
        return total(body.xreplace({scores[index]: score, labels[index]: LABEL[p]}), p)

    return SOFT_ZLPR.value.replace(lambda node: isinstance(node, Sum), over_samples)


def derive_two_classes(loss: SymbolicLoss, scale: Expr) -> Derivation:
    """At m = 2 the loss is soft ZLPR of ``scale (s_i0 - s_i1)``."""
    start = at_two_classes(loss.value)
    chain = loss.begin("two-classes", "Two classes: soft ZLPR", start).assuming(soft(LABEL))
    score = scale * (FIRST[p] - SECOND[p])
    rule = f"soft ZLPR of x_i = {'' if scale == 1 else f'{scale} '}(s_i0 - s_i1), label t_i0"
    return chain.to(rule, soft_zlpr_of(score))
