"""Circle loss (arXiv:2002.10857): pairs, each score weighted by its own distance to a goal.

With scale ``c`` and margin ``m`` let a negative have the weight ``max(s + m, 0)`` and the energy
``x(s) = c max(s + m, 0) (s - m) = c (s^2 - m^2)``, a positive the energy ``x(1 - s)``. Then

    l = log D,   D = 1 + N P,   N = sum_neg e^{x(s_i)},   P = sum_pos e^{x(1 - s_j)},

and with ``z = dx/ds``, ``u_i = (1 - y_i) e^{x(s_i)} P / D`` and ``w_i = y_i e^{x(1 - s_i)} N / D``
the gradient is ``z u + z w``, each with its own ``z``. Training usually holds the weights fixed
under the derivative; that field is the gradient of no function. Derivatives are off the kinks,
``s = -m`` of a negative and ``s = 1 + m`` of a positive.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, KroneckerDelta, Rational, S, Symbol, exp, log

from derive.axis import Index, array, total
from derive.calculus import partial, resolve
from derive.derivation import Derivation
from derive.facts import hard
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import at_index, i, j, k, s, v, y
from derive.ramps import ramp, step

SCALE, MARGIN = Symbol("scale", positive=True), Symbol("margin", positive=True)
RISE = Symbol("a", positive=True)
N_NAME, P_NAME = Symbol("N", nonnegative=True), Symbol("P", nonnegative=True)

#: The weights of the paper, and the energies.
push, pull = ramp(s[i] + MARGIN), ramp(1 + MARGIN - s[i])
up, down = SCALE * push * (s[i] - MARGIN), SCALE * pull * (1 - MARGIN - s[i])
active, short = step(s[i] + MARGIN), step(1 + MARGIN - s[i])
#: Their slopes.
z_up, z_down = 2 * SCALE * s[i] * active, -2 * SCALE * (1 - s[i]) * short

a, b = (1 - y[i]) * exp(up), y[i] * exp(down)
N, P = total(at_index(a, k), k), total(at_index(b, k), k)
D = 1 + N * P
u, w = a * P / D, b * N / D

GRADIENT = z_up * u + z_down * w
_own = (z_up**2 + 2 * SCALE * active) * u + (z_down**2 + 2 * SCALE * short) * w
_rise, _fall = a * z_up, b * z_down
_rise_j, _fall_j, _gradient_j = (at_index(part, j) for part in (_rise, _fall, GRADIENT))

#: Whatever the two sums are.
SUMS = {N: N_NAME, P: P_NAME}


def _weights(at: Index) -> dict[Expr, IndexedBase]:
    """The weights at an index, and what they are called where their values do not matter."""
    return {at_index(push, at): array("alpha_n"), at_index(pull, at): array("alpha_p")}


def derive_value() -> Derivation:
    """Equation 4 with its weights and margins, a sum over pairs, is a product of two sums."""
    weight_j, energy = at_index(push, j), SCALE * at_index(push, j) * (s[j] - MARGIN)
    against = -SCALE * at_index(pull, k) * (s[k] - (1 - MARGIN))
    pairs = total(total((1 - y[j]) * y[k] * exp(energy + against), k), j)
    chain = LOSS.begin("value", "Circle loss", log(1 + pairs))
    weights = {weight: name[at] for at in (j, k) for weight, name in _weights(at).items()}
    chain = chain.generally("the double sum factors", LOSS.value, weights)
    chain = chain.nonnegative("a weight is not negative", weight_j)
    above = up.xreplace({s[i]: RISE - MARGIN})
    circle = SCALE * ((RISE - MARGIN) ** 2 - MARGIN**2)
    chain = chain.lemma("above -m the energy is c (s^2 - m^2)", above, circle)
    below = exp(up.xreplace({s[i]: -MARGIN - RISE}))
    chain = chain.lemma("below -m a negative counts as e^0, not as nothing", below, S.One)
    return chain.nonnegative("the loss is never negative", LOSS.value)


def derive_unweighted() -> Derivation:
    """Without weights it is the unified loss, of the same scale and the margin 1 - 2 m."""
    from derive.losses import unified  # another family, for this topic alone

    pairs = exp(SCALE * (s[j] - MARGIN)) * exp(-SCALE * (s[k] - (1 - MARGIN)))
    start = log(1 + total(total((1 - y[j]) * y[k] * pairs, k), j))
    chain = LOSS.begin("unweighted", "With all weights 1", start)
    same = {unified.GAMMA: SCALE, unified.MARGIN: 1 - 2 * MARGIN}
    return chain.to("the unified loss", unified.LOSS.value.xreplace(same))


def derive_detached() -> Derivation:
    """The field with fixed weights has no symmetric Jacobian; it may lead up the loss."""
    title = "Two negatives: what the field with fixed weights changes in each other"
    start = partial(_field(FIRST), SECOND) - partial(_field(SECOND), FIRST)
    chain = LOSS.begin("detached", title, start).differentiate()
    weights = step(FIRST + MARGIN) * step(SECOND + MARGIN)
    share = exp(_energy(FIRST) + _energy(SECOND)) * PULL**2 / _TWO**2
    difference = 2 * SCALE**2 * MARGIN * (FIRST - SECOND) * weights * share
    note = "a gradient has none: 0 only where the two scores are equal"
    chain = chain.to("the Jacobian is not symmetric", difference, note)
    slope = 2 * SCALE * FIRST * step(FIRST + MARGIN) * exp(_energy(FIRST)) * PULL / _TWO
    chain = chain.lemma("slope of the loss", resolve(partial(log(_TWO), FIRST)), slope)
    between = {FIRST: -RISE, MARGIN: RISE + MARGIN}
    rule = "for a negative between -m and 0 minus the slope is positive"
    chain = chain.positive(rule, -slope.xreplace(between))
    rule = "and so is the field: a step against it leads up the loss"
    return chain.positive(rule, _field(FIRST).xreplace(between))


def _energy(score: Expr) -> Expr:
    """``x(s)`` of a negative."""
    return up.xreplace({s[i]: score})


def _field(score: Expr) -> Expr:
    """The gradient of the loss with two negatives, its weight held fixed."""
    return SCALE * ramp(score + MARGIN) * exp(_energy(score)) * PULL / _TWO


#: Two negatives beside others, which add N, and positives, which add up to P > 0.
FIRST, SECOND = Symbol("s_1", real=True), Symbol("s_2", real=True)
PULL = Symbol("P", positive=True)
_TWO = 1 + (exp(_energy(FIRST)) + exp(_energy(SECOND)) + N_NAME) * PULL


def derive_product() -> Derivation:
    """The Hessian inserted, and the sums that its entries share named."""
    start = total(LOSS.unevaluated_hessian * v[j], j)
    chain = LOSS.begin("hvp", "Hessian-vector product", start)
    chain = chain.rewrite("insert the Hessian", LOSS.unevaluated_hessian, LOSS.hessian)
    return chain.generally("sift the delta and collect", LOSS.hvp, SUMS)


def derive_convexity() -> Derivation:
    """One positive and one negative: on a line the middle is above the ends."""
    quarter = Rational(1, 4)
    energy = up.xreplace({MARGIN: quarter, SCALE: S(256)})
    chain = LOSS.begin("convexity", "Not convex", LOSS.value)
    far, kink, middle = (energy.xreplace({s[i]: x}) for x in (-2 * quarter, -quarter, S.Zero))
    chain = chain.lemma("energies at s = -1/2 and at -1/4, scale 256, margin 1/4", far, kink)
    chain = chain.lemma("and at 0", middle, S(-16))
    gap = 2 * log(1 + exp(kink)) - log(1 + exp(far)) - log(1 + exp(middle))
    note = "-1/4 is in the middle of -1/2 and 0, and the loss there above the mean"
    return chain.positive("beside a positive of energy 0", gap, note)


def _product() -> Expr:
    mixed = _rise * total(_fall_j * v[j], j) + _fall * total(_rise_j * v[j], j)
    return _own * v[i] + mixed / D - GRADIENT * total(_gradient_j * v[j], j)


LOSS = SymbolicLoss(
    name="circle",
    family="related",
    formula=(
        "log(1 + Σ_neg e^(c max(s_i + m, 0)(s_i - m)) Σ_pos e^(c max(1 + m - s_j, 0)(1 - m - s_j)))"
    ),
    labels=y,
    facts=hard(y),
    value=log(D),
    gradient=GRADIENT,
    hessian=KroneckerDelta(i, j) * _own
    + (_rise * _fall_j + _fall * _rise_j) / D
    - GRADIENT * _gradient_j,
    hvp=_product(),
    names=((N_NAME, N), (P_NAME, P)),
    parameters=((SCALE, 256.0), (MARGIN, 0.25)),
    own_topics={
        "value": derive_value,
        "unweighted": derive_unweighted,
        "detached": derive_detached,
        "hvp": derive_product,
        "convexity": derive_convexity,
    },
)
