"""The balancing of a symmetric matrix: y > 0 with y_j (K y)_j = 1.

K is m x m, symmetric, with entries >= 0 and a diagonal of ones.  In z = log y the equations are
those of the stationary point of

    F(z) = 1/2 sum_jk K_jk e^{z_j + z_k} - sum_j z_j,
    dF/dz_j = y_j (K y)_j - 1,
    v^T H v = 1/2 sum_jk K_jk y_j y_k (v_j + v_k)^2 >= 2 sum_j y_j^2 v_j^2,

strictly convex, and F -> inf with |z| (the diagonal terms alone are 1/2 e^{2 z_j} - z_j): there is
exactly one y.  Along a Newton step v the curvature grows at most as e^{a R}, R = 2 max |v_j|, so

    F(z + a v) - F(z) <= -q a + q (e^{aR} - 1 - a R) / R^2,   q = v^T H v,

and the a = log(1 + R) / R that makes the right-hand side least lowers F by at least
q ((1 + R) log(1 + R) - R) / R^2.  No search along the line is needed, the iteration converges from
everywhere, and as a = 1 - R / 2 + ... it does so quadratically.

Everything here is NumPy in float64: m numbers, whatever array held the samples.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numeric_core.exact import Pair

__all__ = ["Floats", "balance", "excess", "residual"]

Floats: TypeAlias = NDArray[np.float64]

STEPS = 200
"""Newton steps before giving up.  Matrices of labels took 3 to 19, with up to 1e8 copies of a row
and labels down to e^-900; random K with entries from e^-600 to 1e12 took up to 75, unless H was
singular to the last digit, where only the residual can be made small."""

NEAR = 1e-6
"""Below this size of a Newton step the next one would be at its square, 1e-12, were it not for the
roundings of the residual: from there on they are kept."""

STANDING = 2.0**-50
"""Steps below 8 roundings of y move it no more."""

CERTAIN = 2.0**-46
"""The largest residual that is accepted.  y itself is rounded: |y_j (K y)_j - 1| is then up to
2^-52 for the exact y, rounded; a residual of 2^-46 leaves room for steps in plain floats."""


def balance(k: Floats) -> tuple[Floats, Floats]:
    """y > 0 with y_j (K y)_j = 1, and the residual left: (batch, m, m) -> two of (batch, m).

    Raises RuntimeError if the residual, with twice the digits, does not end near 0.
    """
    y = 1.0 / np.sqrt(k.sum(axis=-1))
    finishing = False
    for _ in range(STEPS):
        # The last steps see the residual with twice the digits: a matrix H that is nearly
        # singular then costs steps and no digits.
        left = residual(k, y) if finishing else _plain_residual(k, y)
        step = _newton_step(k, y, left)
        y = y * np.exp(step)
        size = np.max(np.abs(step), initial=0.0)
        if finishing and size <= STANDING:
            break
        finishing = finishing or bool(size <= NEAR)
    left = residual(k, y)
    worst = np.max(np.abs(left), initial=0.0)
    if not worst <= CERTAIN:
        raise RuntimeError(
            f"the class constants did not converge in {STEPS} Newton steps: "
            f"max |y_j (K y)_j - 1| = {worst:.1e}, expected at most {CERTAIN:.1e}"
        )
    return y, left


def _plain_residual(k: Floats, y: Floats) -> Floats:
    return np.asarray(y * (k @ y[..., None])[..., 0] - 1.0)


def residual(k: Floats, y: Floats) -> Floats:
    """y_j (K y)_j - 1 with twice the digits: (batch, m)."""
    products = Pair.of(np, k) * Pair.of(np, y[..., None, :])
    shares = products.sum() * Pair.of(np, y[..., :, None])
    left = shares - Pair.of(np, np.ones_like(shares.high))
    return np.asarray(left.rounded()[..., 0])


def _newton_step(k: Floats, y: Floats, left: Floats) -> Floats:
    """a v with H v = -(the residual), and the a of the module's text."""
    weights = k * y[..., :, None] * y[..., None, :]
    places = np.arange(k.shape[-1])
    hessian = weights.copy()
    hessian[..., places, places] += weights.sum(axis=-1)
    v = -np.linalg.solve(hessian, left[..., None])[..., 0]
    reach = 2.0 * np.max(np.abs(v), axis=-1, keepdims=True, initial=0.0)
    return np.asarray(v * _damping(reach))


def _damping(reach: Floats) -> Floats:
    """log(1 + R) / R, 1 at R = 0."""
    some = reach > 0.0
    return np.where(some, np.log1p(reach) / np.where(some, reach, 1.0), 1.0)


def excess(k: Floats, y: Floats) -> Floats:
    """N_j = D_j - 1 = sum_{k != j} K_jk y_k / y_j, all terms positive: (batch, m).

    So a D_j near 1 keeps the digits of log D_j = log1p(N_j), which 1 / y_j^2 would not.
    """
    places = np.arange(k.shape[-1])
    others = k.copy()
    others[..., places, places] = 0.0
    total: Any = (others @ y[..., None])[..., 0] / y
    return np.asarray(total)
