"""The derivation of multi-class cross-entropy in symbols: scores ``s`` of n classes, target ``c``.

Vectors are rows there, so that a linear layer is ``s = x W``; in columns it is ``V x`` with the
transpose ``V`` of ``W``. What the text layer prints has lost minus signs, sums and fraction bars.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import Axis, Index, array, total
from derive.calculus import map_entries, partial, resolve
from derive.losses.softmax import JACOBIAN, VALUE, Z, p
from derive.losses.symbols import at_index, c, i, j, k, s, t, v
from derive.series import at

TARGET = KroneckerDelta(i, c)
P_TARGET = at_index(p, c)


def one_hot(index: Index) -> Expr:
    """The label of the class c."""
    return KroneckerDelta(index, c)


#: The loss of one sample with the target c, as score and log-sum-exp.
LOSS_OF_TARGET = log(Z) - s[c]
#: Probabilities as variables of their own.
Q = array("q", positive=True)

# The layer before -----------------------------------------------------------------------------

FEATURES = Axis("features", Symbol("d", integer=True, positive=True), letters="abde")
a, e = FEATURES.indices("a e")
X, ROWS, COLUMNS = array("x"), array("W"), array("V")


def by_row(index: Index) -> Expr:
    """``(x W)_k``."""
    return total(X[e] * ROWS[e, index], e)


def by_column(index: Index) -> Expr:
    """``(V x)_k``."""
    return total(COLUMNS[index, e] * X[e], e)


#: The gradients of the loss by ``W_ai`` and by ``V_ia``, and the residual under each layer.
GRADIENTS = (
    partial(map_entries(VALUE, s, by_row), ROWS[a, i]),
    partial(map_entries(VALUE, s, by_column), COLUMNS[i, a]),
)
RESIDUALS = map_entries(p - t[i], s, by_row), map_entries(p - t[i], s, by_column)
#: ``dz_k / dW_ai``.
SLOPE_OF_LAYER = partial(by_row(k), ROWS[a, i])
#: Any layer to first order in one of its parameters w: its scores move by ``v_k`` a unit of w.
PARAMETER = Symbol("w", real=True)
_MOVED = map_entries(VALUE, s, lambda index: s[index] + PARAMETER * v[index])
SLOPE_OF_LOSS = at(resolve(partial(_MOVED, PARAMETER)), PARAMETER, S.Zero)
#: The squared error of softmax, a loss that does not match it.
SQUARED = total((at_index(p, k) - t[k]) ** 2, k) / 2
THROUGH_JACOBIAN = total((at_index(p, k) - t[k]) * at_index(at_index(JACOBIAN, k), i, j), k)

# The mean over samples ------------------------------------------------------------------------

SAMPLES = Axis("samples", Symbol("N", integer=True, positive=True), letters="qru")
q, r = SAMPLES.indices("q r")
SCORES, LABELS = array("s"), array("t")


def _softmax(sample: Index, index: Index) -> Expr:
    return exp(SCORES[sample, index]) / total(exp(SCORES[sample, j]), j)


#: ``-(1/N) sum_q sum_k t_qk log p_qk``, and the residual of one sample.
MEAN = -total(total(LABELS[q, k] * log(_softmax(q, k)), k), q) / SAMPLES.size
MEAN_SLOPE = partial(MEAN, SCORES[r, i])
RESIDUAL_OF_ONE = _softmax(r, i) - LABELS[r, i]
#: Products of two entries of one sample's label.
TWO_ONES = total(total((1 - KroneckerDelta(i, j)) * LABELS[r, i] * LABELS[r, j], j), i)
