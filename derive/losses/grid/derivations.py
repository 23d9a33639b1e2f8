"""Hessian, its products and convexity over samples and classes, with the logs' arguments named.

An argument of a log, such as ``D_j``, is a long sum that takes no part in collecting terms: it is
given a name, the equation is decided for whatever the name stands for, and holds for the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations

from sympy import Add, Expr, S, Symbol, log

from derive.axis import Index, array
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.grid.sums import (
    STRICTLY_SOFT,
    centred,
    h,
    j,
    k,
    l,
    other_class,
    own_class,
    pair,
    s,
    t,
    v,
)
from derive.lattice.convexity import TAU
from derive.losses.loss import SymbolicLoss, Topic, over_all

CLASS_INDICES = (j, k, h, l)
_D, _E, _P, _C = (array(letter, positive=True) for letter in "DEPC")

Names = tuple[tuple[Symbol, Expr], ...]


@cache
def names() -> dict[Expr, Expr]:
    """What each argument of a log is called."""
    return {
        **{own_class(index): _D[index] for index in CLASS_INDICES},
        **{other_class(index): _E[index] for index in CLASS_INDICES},
        **{pair(*indices): _P[indices] for indices in permutations(CLASS_INDICES, 2)},
        **{centred(index): _C[index] for index in CLASS_INDICES},
    }


def shown(letter: str, argument: Callable[..., Expr], *indices: tuple[Index, ...]) -> Names:
    """The argument at each of the indices under its letter, for a derivation that is shown."""
    return tuple((Symbol(f"{letter}_{''.join(map(str, at))}"), argument(*at)) for at in indices)


@dataclass(frozen=True)
class Logs:
    """Logs of one kind: one for each value of the indices, with its part of the quadratic form.

    ``hessian`` is that of the sum of all. ``variance`` is that of the slopes along v of the terms
    of one log, under their shares and with slope 0 of the constant term; ``squares`` the same as
    squares. ``weight`` stands before each log, 0 where there is none.
    """

    grouping: str
    argument: Expr
    hessian: Expr
    indices: tuple[Index, ...]
    variance: Expr
    squares: Expr
    weight: Expr = S.One

    @property
    def value(self) -> Expr:
        """The sum of the logs."""
        return self.over_all(log(self.argument))

    def over_all(self, form: Expr) -> Expr:
        """The sum of a form of each log."""
        return over_all(self.weight * form, self.indices)


def variance_of(
    terms: tuple[Index, ...], share: Callable[..., Expr], slope: Callable[..., Expr]
) -> Expr:
    """``sum_e w_e d_e^2 - (sum_e w_e d_e)^2`` over the terms e of one log."""
    mean = over_all(share(*terms) * slope(*terms), terms)
    return over_all(share(*terms) * slope(*terms) ** 2, terms) - mean**2


def squares_of(
    terms: tuple[Index, ...],
    others: tuple[Index, ...],
    argument: Expr,
    share: Callable[..., Expr],
    slope: Callable[..., Expr],
) -> Expr:
    """``sum_e w_e d_e^2 / D + 1/2 sum_ef w_e w_f (d_e - d_f)^2``; the constant term has share 1/D.

    ``others`` are the indices of a second term.
    """
    against_null = over_all(share(*terms) / argument * slope(*terms) ** 2, terms)
    gap = slope(*terms) - slope(*others)
    return against_null + over_all(share(*terms) * share(*others) * gap**2, (*terms, *others)) / 2


def mean_of(parts: Sequence[Expr]) -> Expr:
    """A loss is the mean of its kinds of logs."""
    return Add(*parts) / len(parts)


def derive_gradient(loss: SymbolicLoss) -> Derivation:
    """Differentiated, and the terms collected."""
    chain = loss.begin("gradient", "Gradient", partial(loss.value, loss.score))
    return chain.to("differentiate and collect the terms", loss.gradient)


def derive_hessian(loss: SymbolicLoss, kinds: Sequence[Logs]) -> Derivation:
    """Of each kind of logs by itself."""
    return insert_hessian(loss.begin("hessian", "Hessian", loss.unevaluated_hessian), loss, kinds)


def insert_hessian(chain: Derivation, loss: SymbolicLoss, kinds: Sequence[Logs]) -> Derivation:
    """The second derivative, wherever it stands, in closed form."""
    matrices = _matrices(loss, kinds)
    if len(kinds) > 1:
        chain = chain.rewrite("each kind of logs", loss.unevaluated_hessian, mean_of(matrices))
    return _insert_each(chain, kinds, matrices)


def _matrices(loss: SymbolicLoss, kinds: Sequence[Logs]) -> list[Expr]:
    return [partial(kind.value, loss.score, loss.other_score) for kind in kinds]


def _insert_each(chain: Derivation, kinds: Sequence[Logs], matrices: Sequence[Expr]) -> Derivation:
    for kind, matrix in zip(kinds, matrices, strict=True):
        rule = f"Hessian, {kind.grouping}"
        chain = chain.rewrite(rule, matrix, kind.hessian, through=names())
    return chain


def derive_hvp(loss: SymbolicLoss, kinds: Sequence[Logs]) -> Derivation:
    """The Hessian times a vector: deltas sifted, one mean for each log."""
    start = over_all(loss.unevaluated_hessian * v[loss.others], loss.others)
    chain = insert_hessian(loss.begin("hvp", "Hessian-vector product", start), loss, kinds)
    return chain.generally("sift the deltas and collect", loss.hvp, names())


def derive_convexity(loss: SymbolicLoss, kinds: Sequence[Logs]) -> Derivation:
    """On each line ``s + tau v`` a variance for each log, as squares; and where these vanish."""
    if loss.squares is None or loss.flat is None:
        raise TypeError(f"{loss.name} has no squares: give it the squares and what they leave flat")
    title = "Convexity, and the directions without curvature"
    chain = loss.begin("convexity", title, partial(_on_line(loss.value), TAU, TAU))
    bends = [partial(log(_on_line(kind.argument)), TAU, TAU) for kind in kinds]
    each = [kind.over_all(bend) for kind, bend in zip(kinds, bends, strict=True)]
    chain = chain.to("second derivative along a line, log by log", mean_of(each))
    for kind, bend in zip(kinds, bends, strict=True):
        chain = chain.rewrite(f"a variance, {kind.grouping}", bend, _on_line(kind.variance))
    for kind in kinds:
        sides = _on_line(kind.variance), _on_line(kind.squares)
        chain = chain.rewrite(f"as squares, {kind.grouping}", *sides)
    for kind in kinds:
        chain = chain.nonnegative("at each s: the loss is convex", kind.squares)
    chain = chain.forces("no curvature only along directions with", loss.squares, loss.flat)
    chain = chain.assuming(STRICTLY_SOFT)
    rule = "where no label is 0, only with"
    return chain.forces(rule, loss.squares, loss.flat / t[loss.indices])


def _on_line(expression: Expr) -> Expr:
    """The expression at ``s + tau v``."""
    return map_entries(expression, s, lambda *at: s[at] + TAU * v[at])


def derivative_topics(loss: Callable[[], SymbolicLoss], kinds: Sequence[Logs]) -> dict[str, Topic]:
    """The topics about derivatives; the loss is asked for when one is derived."""
    return {
        "gradient": lambda: derive_gradient(loss()),
        "hessian": lambda: derive_hessian(loss(), kinds),
        "hvp": lambda: derive_hvp(loss(), kinds),
        "convexity": lambda: derive_convexity(loss(), kinds),
    }
