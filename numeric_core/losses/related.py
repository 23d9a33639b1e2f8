"""The losses that ZLPR is compared with: focal, soft focal, asymmetric (label by label), Circle.

With p = sigma(s) and, for one label of a row,

    focal        -(1 - p)^g log p for a positive, -p^g log(1 - p) for a negative
    soft_focal   |p - t|^b (-t log p - (1 - t) log(1 - p))
    asymmetric   focal with its own exponent for a positive, -d^g log(1 - d), d = max(p - m, 0),
                 for a negative
    circle       log(1 + N P), N = sum_neg e^{x(s)}, P = sum_pos e^{x(1 - s)},
                 x(u) = c max(u + m, 0) (u - m)

The first three are sums over labels (`numeric_core.single`), with a diagonal Hessian.  Circle loss
is the unified loss of energies x (`numeric_core.energies`): with its shares P_i and Q_i,
r = N P / (1 + N P) and z = dx/du,

    dl/ds_i = r z_i (P_i - Q_i),   H = diag(z) H_unified diag(z) + 2 c r diag(P + Q).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from numeric_core import checks
from numeric_core.distribution import (
    center,
    complements,
    enlarged_terms,
    norm_pair,
    null_probability,
    probabilities,
    weigh,
    weigh_null,
)
from numeric_core.energies import (
    ABSENT,
    Energies,
    energies,
    enlarged,
    largest_energies,
    score_bound,
)
from numeric_core.exact import Pair, rounded
from numeric_core.kernels import Kernel
from numeric_core.loss import Loss
from numeric_core.losses.unified import pair_sum
from numeric_core.losses.zlpr import sigmoid
from numeric_core.namespace import (
    Array,
    Namespace,
    constant,
    exp,
    log,
    log1p,
    namespace,
)
from numeric_core.reductions import RowSum, free_exponential_sum, log_partition
from numeric_core.rows import Rows, score_rows
from numeric_core.single import (
    ByLabel,
    Terms,
    choose,
    either,
    focal_terms,
    lift,
    pair_like,
    shifted_terms,
    soft_focal_terms,
    within_reach,
)

__all__ = [
    "Asymmetric",
    "Circle",
    "Focal",
    "SoftFocal",
    "asymmetric",
    "circle",
    "focal",
    "soft_focal",
]


@dataclass(frozen=True)
class Focal(ByLabel):
    """l = -sum_pos a (1 - p_i)^g log p_i - sum_neg (1 - a) p_i^g log(1 - p_i), p = sigma(s).

    gamma: the focusing exponent g >= 0, 2 by default; 0 is binary cross-entropy.  alpha: the
    weight a of the positives in (0, 1), 1 - a that of the negatives; None for 1 and 1.
    Labels are 0 or 1; `soft_focal` takes those between.  Summed over the labels of a row.

    Not convex for gamma > 0: a label that is badly wrong has negative curvature.  Limits: as those
    of binary cross-entropy, a wrong label costs |s|, a right one e^{-(g + 1) |s|}, with all digits.
    Accuracy: as of `Loss` for gamma up to 4, from there on gamma ulp.

    Source: Lin, Goyal, Girshick, He, Dollar, Focal Loss for Dense Object Detection (2017),
    arXiv:1708.02002; 9064 s13, claim 9064-49.
    """

    gamma: float = 2.0
    alpha: float | None = None

    def __post_init__(self) -> None:
        checks.exponent("gamma", self.gamma, least=0.0)
        if self.alpha is not None:
            checks.share("alpha", self.alpha)

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """The probability of a label whose mean loss is stationary at s; not sigma(s).

        eta / (1 - eta) = p^g (p + g q log(1/q)) / (q^g (q + g p log(1/p))), times (1 - a) / a.
        At gamma = 2 a score with sigma(s) = 0.9 stands for 0.9974.

        Source: the derivation focal.link; for softmax Charoenphakdee et al., On Focal Loss for
        Class-Posterior Probability Estimation (2021), arXiv:2011.09172.
        """
        rows = score_rows(namespace(scores=scores), scores, axis, check=True).widened()
        xp, s = rows.xp, within_reach(rows)
        e = exp(xp, -xp.abs(s))
        # log odds = g s + log(p + g q log(1/q)) - log(q + g p log(1/p)): the last two without 1 + e
        big, small = s * (s > 0) + log1p(xp, e), -s * (s < 0) + log1p(xp, e)
        up, down = xp.where(s > 0, xp.ones_like(e), e), xp.where(s > 0, e, xp.ones_like(e))
        ratio = (up + self.gamma * down * big) / (down + self.gamma * up * small)
        balance = 0.0 if self.alpha is None else math.log1p(-self.alpha) - math.log(self.alpha)
        return rows.per_label(sigmoid(xp, self.gamma * s + log(xp, ratio) + balance))

    def kernel(self) -> Kernel:
        """Compiled for NumPy arrays of float32 and float16; `numeric_core.kernels.focal`."""
        own, other = (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)
        return Kernel("focal", exponents=(self.gamma, self.gamma), weights=(own, other))

    def _check_rows(self, rows: Rows) -> None:
        checks.hard_labels(rows.xp, rows.labels, "focal", "soft_focal")

    def _terms(self, rows: Rows) -> Terms:
        xp, t = rows.xp, rows.labels
        terms = focal_terms(rows, pair_like(xp, self.gamma, t))
        if self.alpha is None:
            return terms
        weight = xp.where(t > 0, constant(xp, self.alpha, t), constant(xp, 1.0 - self.alpha, t))
        value, slope = weight * terms.value, weight * terms.slope
        return Terms(value, slope, terms.weight, lambda: terms.bend() * lift(rows, weight))


@dataclass(frozen=True)
class SoftFocal(ByLabel):
    """l = sum_i |sigma(s_i) - t_i|^b (-t_i log sigma(s_i) - (1 - t_i) log sigma(-s_i)).

    beta: the exponent b >= 2 (2 by default; below, the curvature is infinite at sigma(s) = t).
    Labels in [0, 1]; with labels 0 and 1 it is `focal` with gamma = beta, bit by bit.

    Limits: as of `focal`.  The minimum is 0, at sigma(s) = t.  Near it all is a power of what is
    left of sigma(s) - t: its digits are kept down to 2^-40 of the larger side, below that the
    error is one of the loss at this distance.

    Source: the quality focal loss of Li et al., Generalized Focal Loss (2020), arXiv:2006.04388.
    """

    beta: float = 2.0

    def __post_init__(self) -> None:
        checks.exponent("beta", self.beta, least=2.0)

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """sigma(s): the soft label whose loss is 0; the shape of scores.

        After training on labels drawn as 0 or 1 it is that of `focal` with gamma = beta.
        """
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_label(sigmoid(rows.xp, rows.scores))

    def _terms(self, rows: Rows) -> Terms:
        xp, t = rows.xp, rows.labels
        hard = focal_terms(rows, pair_like(xp, self.beta, t))
        soft = soft_focal_terms(rows, self.beta)
        certain = (t == 0) | (t == 1)
        return either(xp, certain, hard, soft)


@dataclass(frozen=True)
class Asymmetric(ByLabel):
    """l = -sum_pos (1 - p_i)^g+ log p_i - sum_neg d_i^g- log(1 - d_i), d = max(sigma(s) - m, 0).

    gamma_positive: g+ >= 0, 0 by default.  gamma_negative: g-, 4 by default; >= 0, and >= 1 with a
    margin.  margin: the probability m in [0, 1) that a negative may have at no cost, 0.05.
    Labels are 0 or 1.  g+ = g- = m = 0 is binary cross-entropy.

    A negative with sigma(s) <= m has no loss and no slope; one that is badly wrong costs at most
    (1 - m)^g- log(1 / m), and its slope goes to 0.  Accuracy: as of `Loss` for exponents up to 4.

    Source: Ben-Baruch et al., Asymmetric Loss For Multi-Label Classification (2020),
    arXiv:2009.14119; 9064 s19, claim 9064-58.
    """

    gamma_positive: float = 0.0
    gamma_negative: float = 4.0
    margin: float = 0.05

    def __post_init__(self) -> None:
        checks.exponent("gamma_positive", self.gamma_positive, least=0.0)
        checks.share("margin", self.margin, zero=True)
        checks.exponent("gamma_negative", self.gamma_negative, least=1.0 if self.margin else 0.0)

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """The probability of a label whose mean loss is stationary at s; not sigma(s).

        eta / (1 - eta) = w G' / -F', 0 where sigma(s) <= m.  With a margin it stays below a
        number less than 1: for what is surer than that the best score is +inf.  At the default
        parameters s = 0 stands for 0.128, and no finite score for more than 0.9638.

        Source: the derivation asymmetric.link.
        """
        rows = score_rows(namespace(scores=scores), scores, axis, check=True).widened()
        xp = rows.xp
        s = xp.clip(rows.scores, -LARGEST_LINK, LARGEST_LINK)
        ones = Rows(xp, s, xp.ones_like(s), rows.axis, rows.dtype, LARGEST_LINK)
        up = self._terms(ones).slope
        down = self._terms(Rows(xp, s, xp.zeros_like(s), rows.axis, rows.dtype, LARGEST_LINK)).slope
        return rows.per_label(down / (down - up))

    def kernel(self) -> Kernel | None:
        """As of `focal`; with a margin, for a whole exponent of the negatives up to 8."""
        own, other = self.gamma_positive, self.gamma_negative
        if self.margin and (other != int(other) or other > 8.0):
            return None
        name = "asymmetric" if self.margin else "focal"
        return Kernel(name, margin=self.margin, exponents=(own, other))

    def _check_rows(self, rows: Rows) -> None:
        checks.hard_labels(rows.xp, rows.labels, "asymmetric", "soft_focal")

    def _terms(self, rows: Rows) -> Terms:
        xp, t = rows.xp, rows.labels
        if self.margin == 0.0:
            own, other = (pair_like(xp, g, t) for g in (self.gamma_positive, self.gamma_negative))
            return focal_terms(rows, choose(xp, t > 0, own, other))
        own = pair_like(xp, self.gamma_positive, t)
        positive = focal_terms(rows, own, all_positive=True)
        negative = shifted_terms(rows, self.gamma_negative, self.margin)
        return either(xp, t > 0, positive, negative)


LARGEST_LINK = 80.0
"""Beyond this |s| the probability of a label is 0, or the limit, in float64 and float32: both
slopes are then e^{-|s|} times their limits, and e^{-80} is a normal number of float32."""


class _Sides(NamedTuple):
    """N, P and 1 + N P as row states."""

    negative: RowSum
    positive: RowSum
    pair: RowSum


@dataclass(frozen=True)
class Circle(Loss):
    """l = log(1 + sum_neg e^{c a_i (s_i - m)} sum_pos e^{-c a_j (s_j - 1 + m)}), labels 0 or 1.

    a_i = max(s_i + m, 0), a_j = max(1 + m - s_j, 0).  scale: c > 0, 256 by default.  margin: m,
    0.25.  Made for cosine similarities, scores in [-1, 1]; any others are taken.

    detach_weights: False (the default) gives the gradient of the loss, which pulls a negative
    to s = 0 and a positive to s = 1.  True gives the field that is trained with in practice, a_i
    and a_j held fixed: it pulls to -m and to 1 + m, and is no gradient of any function, so there
    is no Hessian.  The loss is the same.

    Limits: a negative below -m counts as e^0 = 1 whatever its score, and not as nothing: a
    finite score is no mask here, only -inf (or below -3e38) is.  No positives or no negatives,
    and n = 0: 0.  Where the true loss is above finfo.max it is inf.

    Source: Sun et al., Circle Loss (2020), arXiv:2002.10857, eqs. 4 to 8; 9064 s19, 7359.
    """

    scale: float = 256.0
    margin: float = 0.25
    detach_weights: bool = False

    def __post_init__(self) -> None:
        checks.finite_number("scale", self.scale, positive=True, largest=1e6)
        checks.finite_number("margin", self.margin, largest=1e6)

    def predict(self, scores: Array, *, threshold: float = 0.5, axis: int = -1) -> Array:
        """s > threshold: booleans of the shape of scores.

        1/2 is in the middle of the margins m and 1 - m.
        """
        checks.finite_number("threshold", threshold)
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_choice(rows.scores > threshold)

    def hvp(self, scores: Array, labels: Array, vector: Array, **options: object) -> Array:
        """The Hessian of every row times its part of vector; ValueError with detach_weights."""
        self._refuse_hessian()
        return super().hvp(scores, labels, vector, **options)  # type: ignore[arg-type]

    def hessian(self, scores: Array, labels: Array, **options: object) -> Array:
        """The Hessian of every row, (*batch, n, n); ValueError with detach_weights."""
        self._refuse_hessian()
        return super().hessian(scores, labels, **options)  # type: ignore[arg-type]

    def _refuse_hessian(self) -> None:
        if self.detach_weights:
            raise ValueError(
                "circle with detach_weights=True has no Hessian: its field is the gradient of no "
                "function; use detach_weights=False"
            )

    def _check_rows(self, rows: Rows) -> None:
        checks.hard_labels(rows.xp, rows.labels, "circle", "unified")

    def _value(self, rows: Rows) -> Array:
        rows = rows.widened()
        return self._value_of(rows, self._sides(rows, energies(rows, self.scale, self.margin)))

    def _value_of(self, rows: Rows, sides: _Sides) -> Array:
        xp = rows.xp
        value = log_partition(xp, sides.pair)
        if rows.bound > score_bound(rows):
            value = largest_energies(rows, value, self.scale)
        if rows.infinite is None:
            return value
        infinite = xp.any(rows.infinite, axis=-1) & (sides.negative.total[..., 0] > 0)
        return xp.where(infinite, math.inf * xp.ones_like(value), value)

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        rows = rows.widened()
        xp, terms = rows.xp, energies(rows, self.scale, self.margin)
        sides = self._sides(rows, terms)
        slope = terms.weight if self.detach_weights else terms.slope
        # the slope goes to the amounts, and not to shares that may be subnormal
        up, down = (
            enlarged_terms(xp, side, weigh(xp, sides.pair, slope / norm_pair(xp, side)))
            for side in (sides.negative, sides.positive)
        )
        return self._value_of(rows, sides), enlarged(xp, up - down, terms.ratio, self.scale)

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        xp, terms = rows.xp, energies(rows, self.scale, self.margin)
        sides = self._sides(rows, terms, exact=rows.exact)
        slope: Pair | Array = terms.slope if rows.exact else terms.slope.rounded()
        along: Pair | Array = Pair.of(xp, vector) if rows.exact else vector
        moved = slope * along
        a = center(xp, sides.negative, moved, null=False)
        b = center(xp, sides.positive, moved, null=False)
        near, far = _mixed(xp, sides, a, b), _mixed(xp, sides, b, a)
        bend = self._twice_scale(xp, along, terms.active)
        if not rows.exact:
            p, q = probabilities(xp, sides.negative), probabilities(xp, sides.positive)
            r = probabilities(xp, sides.pair)
            return r * (p * (slope * near + bend) + q * (slope * far + bend))
        product = weigh(xp, sides.negative, slope * near + bend)
        product = product + weigh(xp, sides.positive, slope * far + bend)
        return rounded(weigh(xp, sides.pair, product))

    def _twice_scale(self, xp: Namespace, x: Pair | Array, active: Array) -> Pair | Array:
        """2 c x, 0 for a label that is not active."""
        if not isinstance(x, Pair):
            return xp.where(active, 2.0 * self.scale * x, xp.zeros_like(x))
        bend = x * pair_like(xp, 2.0 * self.scale, x.high)
        return choose(xp, active, bend, Pair.of(xp, xp.zeros_like(x.high)))

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        xp, rows = rows.xp, rows.widened()
        terms = energies(rows, self.scale, self.margin)
        sides = self._sides(rows, terms)
        p, q = probabilities(xp, sides.negative), probabilities(xp, sides.positive)
        r, rest = probabilities(xp, sides.pair), null_probability(xp, sides.pair)
        no_p, no_q = complements(xp, sides.negative), complements(xp, sides.positive)
        z = terms.slope.rounded()
        bend = xp.where(terms.active, 2.0 * self.scale * (p + q), xp.zeros_like(z))
        diagonal = p * (r * no_p + rest * no_q) + q * (rest * no_p + r * no_q)
        same = p[..., :, None] * p[..., None, :] + q[..., :, None] * q[..., None, :]
        cross = p[..., :, None] * q[..., None, :] + q[..., :, None] * p[..., None, :]
        off = r[..., None] * same + rest[..., None] * cross
        off = off * (z[..., :, None] * z[..., None, :])
        return r * (z * diagonal * z + bend), -r[..., None] * off

    def _sides(self, rows: Rows, terms: Energies, exact: bool = False) -> _Sides:
        xp, t, x = rows.xp, rows.labels, terms.x
        open_ = (t == 0) & (rows.scores > ABSENT)
        w = xp.where(open_, xp.ones_like(t), xp.zeros_like(t))
        negative = free_exponential_sum(xp, x.high, x.low, w, exact=exact)
        positive = free_exponential_sum(xp, x.high, x.low, t, exact=exact)
        return _Sides(negative, positive, pair_sum(xp, negative, positive))


def _mixed(xp: Namespace, sides: _Sides, near: Array | Pair, far: Array | Pair) -> Array | Pair:
    """r near + (1 - r) far."""
    if isinstance(near, Pair):
        return weigh(xp, sides.pair, near) + weigh_null(xp, sides.pair, far)
    return probabilities(xp, sides.pair) * near + null_probability(xp, sides.pair) * far


focal = Focal()
soft_focal = SoftFocal()
asymmetric = Asymmetric()
circle = Circle()
