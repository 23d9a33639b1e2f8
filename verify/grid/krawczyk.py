r"""Zeros of m equations in m unknowns, proved to exist and to be alone in a box.

For a box X of midpoint x and any matrix Y, Krawczyk's operator

    K(X) = x - Y F(x) + (I - Y F'(X)) (X - x)

contains every zero of F in X; if K(X) lies inside of X, there is a zero, exactly one, and it lies
in K(X) (R. Krawczyk 1969; R. E. Moore 1977).  F and F' are evaluated over Arb balls, so that this
is a proof and no estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import arb, arb_mat, ctx

__all__ = ["Balls", "only_zero_near"]

Balls = list[arb]

# The precision of the enclosure: far beyond the digits that are shown of it.
BITS = 256
# Newton's iteration doubles the digits of the start each time: 2 become 2^8 in seven steps.
STEPS = 8
# Half the side of the box, 2^-60: wide beside the error of the midpoint, small beside 1.
RADIUS = arb((1, -60))


def only_zero_near(
    function: Callable[[Balls], Balls],
    jacobian: Callable[[Balls], list[Balls]],
    start: Sequence[float],
) -> Balls:
    """The zero of `function` to which Newton's iteration leads from `start`, as a box.

    ArithmeticError where the operator does not map the box into itself: then nothing is proved.
    """
    with ctx.workprec(BITS):
        centre = [arb(x) for x in start]
        for _ in range(STEPS):
            step = arb_mat(jacobian(centre)).solve(_column(function(centre)))
            centre = [(x - d).mid() for x, d in zip(centre, step.entries(), strict=True)]
        box = [x + arb(0, RADIUS) for x in centre]
        image = _operator(function, jacobian, centre, box)
        if not all(x.contains_interior(k) for x, k in zip(box, image, strict=True)):
            raise ArithmeticError(f"no zero is proved near {[float(x) for x in centre]}")
        return image


def _operator(
    function: Callable[[Balls], Balls],
    jacobian: Callable[[Balls], list[Balls]],
    centre: Balls,
    box: Balls,
) -> Balls:
    """K(X)."""
    m = len(centre)
    inverse = arb_mat(jacobian(centre)).inv()
    slack = arb_mat(m, m, [int(j == k) for j in range(m) for k in range(m)])
    slack -= inverse * arb_mat(jacobian(box))
    offset = _column([x - c for x, c in zip(box, centre, strict=True)])
    image = _column(centre) - inverse * _column(function(centre)) + slack * offset
    return list(image.entries())


def _column(entries: Sequence[arb]) -> arb_mat:
    return arb_mat([[x] for x in entries])
