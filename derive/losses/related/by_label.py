"""The losses that ZLPR is compared with (document 001, s13 and s19): focal, soft, asymmetric.

Label by label, with ``p = sigma(s)``, ``q = sigma(-s)`` and ``r = p - t``:

    focal        F(s) = q^g log(1/p) for a label 1, F(-s) for a label 0 (arXiv:1708.02002)
    soft_focal   |r|^b (t log(1/p) + (1 - t) log(1/q)) (arXiv:2006.04388)
    asymmetric   F(s) for a label 1; for a label 0 d^h log(1/(1 - d)), d = max(p - m, 0)
                 (arXiv:2009.14119)

The Hessians are diagonal. No loss of these is convex, and the best score for a label of
probability ``eta`` is not its logit: the links are derived. A power ``d^h`` of a positive ``d`` is
written ``|d|^h step(d)``.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Abs, Expr, KroneckerDelta, Rational, S, Symbol, exp, log

from derive.axis import total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import hard, soft
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import at_index, bce_value, i, j, k, s, sigmoid, t, v, y
from derive.ramps import ramp, step

GAMMA, BETA = Symbol("gamma", positive=True), Symbol("beta", positive=True)
POSITIVE, NEGATIVE = (
    Symbol("gamma_positive", positive=True),
    Symbol("gamma_negative", positive=True),
)
MARGIN = Symbol("margin", positive=True)
ODDS, RISE = Symbol("o", positive=True), Symbol("a", positive=True)
#: The probability of a label with these odds.
ETA = ODDS / (1 + ODDS)
P_NAME, Q_NAME = Symbol("p_i"), Symbol("q_i")

p, q = sigmoid(s[i]), sigmoid(-s[i])
#: ``log(1/p)`` and ``log(1/q)``.
up_cost, down_cost = log(1 + exp(-s[i])), log(1 + exp(s[i]))
NAMES = ((P_NAME, p), (Q_NAME, q))


def mirrored(expression: Expr) -> Expr:
    """The same at the score ``-s_i``."""
    return map_entries(expression, s, lambda index: -s[index])


# Focal ----------------------------------------------------------------------------------------


def focal_cost(g: Expr) -> Expr:
    """``F(s_i)``."""
    return q**g * up_cost


def focal_fall(g: Expr) -> Expr:
    """``-F'(s_i) = q^g (q + g p log(1/p))``."""
    return q**g * (q + g * p * up_cost)


def focal_bend(g: Expr) -> Expr:
    """``F''(s_i) = q^g p (g^2 p log(1/p) + (2 g + 1) q - g q log(1/p))``."""
    return q**g * p * (g**2 * p * up_cost + (2 * g + 1) * q - g * q * up_cost)


def derive_focal_value() -> Derivation:
    """The weights of focal loss, and what is left without them."""
    printed = -total(
        y[k] * (1 - sigmoid(s[k])) ** GAMMA * log(sigmoid(s[k]))
        + (1 - y[k]) * sigmoid(s[k]) ** GAMMA * log(1 - sigmoid(s[k])),
        k,
    )
    chain = FOCAL.begin("value", "Focal loss", printed)
    chain = chain.to("open the sigmoids", FOCAL.value)
    plain = FOCAL.value.xreplace({GAMMA: S.Zero})
    chain = chain.lemma("at gamma = 0 binary cross-entropy", plain, bce_value(y))
    return chain.nonnegative("it is never negative", FOCAL.value)


def derive_focal_bounds() -> Derivation:
    """The slope has the sign of the mistake."""
    chain = FOCAL.begin("bounds", "Sign of the gradient", -y[i] * FOCAL.gradient)
    chain = chain.to("a positive is pulled up", y[i] * focal_fall(GAMMA))
    chain = chain.nonnegative("always", y[i] * focal_fall(GAMMA))
    down = mirrored(focal_fall(GAMMA))
    rule = "a negative is pushed down"
    chain = chain.lemma(rule, (1 - y[i]) * FOCAL.gradient, (1 - y[i]) * down)
    return chain.nonnegative("always too", (1 - y[i]) * down)


def derive_focal_link() -> Derivation:
    """The best score of a label of probability eta: its odds are not ``e^s``."""
    risk = ETA * focal_cost(GAMMA) + (1 - ETA) * mirrored(focal_cost(GAMMA))
    fall = focal_fall(GAMMA)
    title = "The mean loss of a label of probability eta"
    chain = FOCAL.begin("link", title, partial(risk, s[i])).differentiate()
    chain = chain.to("pushed down by F'(-s), pulled up by F'(s)", _pull(fall, mirrored(fall)))
    link = mirrored(fall) / fall
    note = "so that it vanishes exactly where eta / (1 - eta) = F'(-s) / F'(s)"
    rest = fall / (1 + ODDS) * (link - ODDS)
    chain = chain.to("odds of the link less odds of the label", rest, note)
    chain = chain.positive("times a positive number", fall)
    plain = link.xreplace({GAMMA: S.Zero})
    chain = chain.lemma("at gamma = 0 the odds are e^s", plain, exp(s[i]))
    at_two = link.xreplace({GAMMA: S(2), s[i]: log(S(9))})
    seen = 81 * (9 + 2 * log(S(10))) / (1 + 18 * log(Rational(10, 9)))
    return chain.lemma("at gamma = 2 and p = 0.9 they are 380 to 1, not 9", at_two, seen)


def _pull(fall: Expr, push: Expr) -> Expr:
    return (1 - ETA) * push - ETA * fall


def derive_focal_convexity() -> Derivation:
    """A badly wrong label has negative curvature."""
    return _not_convex(FOCAL, "a positive at s = -4, gamma = 2", focal_bend(S(2)), -4)


def _not_convex(loss: SymbolicLoss, rule: str, bend: Expr, score: int) -> Derivation:
    """A diagonal entry of the Hessian that is negative."""
    chain = loss.begin("convexity", "Not convex", partial(loss.value, s[i], s[i]))
    chain = chain.differentiate().to("the diagonal of the Hessian", at_index(loss.hessian, i, j))
    there = -bend.xreplace({s[i]: S(score)})
    return chain.positive(f"{rule}: minus the curvature is positive", there)


def by_label(weight: Expr, rest: Expr) -> Expr:
    """The one for a label 1, the other for a label 0."""
    return y[i] * weight + (1 - y[i]) * rest


_focal = by_label(focal_cost(GAMMA), mirrored(focal_cost(GAMMA)))
_focal_bend = by_label(focal_bend(GAMMA), mirrored(focal_bend(GAMMA)))

FOCAL = SymbolicLoss(
    name="focal",
    family="related",
    formula="Σ_pos (1 - p_i)^γ log(1/p_i) + Σ_neg p_i^γ log(1/(1 - p_i)), p = σ(s)",
    labels=y,
    facts=hard(y),
    value=total(at_index(_focal, k), k),
    gradient=by_label(-focal_fall(GAMMA), mirrored(focal_fall(GAMMA))),
    hessian=KroneckerDelta(i, j) * _focal_bend,
    hvp=_focal_bend * v[i],
    names=NAMES,
    parameters=((GAMMA, 2.0),),
    claims={"value": ("9064-49",)},
    own_topics={
        "value": derive_focal_value,
        "bounds": derive_focal_bounds,
        "link": derive_focal_link,
        "convexity": derive_focal_convexity,
    },
)


# Soft focal -----------------------------------------------------------------------------------

#: ``p - t``, with the digits of whichever of p and q is small.
r = (1 - t[i]) * p - t[i] * q
w = p * q
entropy = t[i] * up_cost + (1 - t[i]) * down_cost
#: ``|r|^(b - 2)``.
_power = Abs(r) ** (BETA - 2)
SOFT_SLOPE = _power * r * (BETA * w * entropy + r**2)
SOFT_BEND = _power * w * (BETA * ((BETA - 1) * w + r * (q - p)) * entropy + (2 * BETA + 1) * r**2)


def derive_soft_focal_value() -> Derivation:
    """As printed, with ``p - t``; without its weight binary cross-entropy."""
    printed = total(at_index(Abs(p - t[i]) ** BETA * entropy, k), k)
    chain = SOFT_FOCAL.begin("value", "Soft focal loss", printed)
    chain = chain.to("p - t = (1 - t) p - t q, as p + q = 1", SOFT_FOCAL.value)
    plain = SOFT_FOCAL.value.xreplace({BETA: S.Zero})
    return chain.lemma("at beta = 0 binary cross-entropy", plain, bce_value(t))


def derive_soft_focal_hard() -> Derivation:
    """At labels in {0, 1} it is focal loss with the same exponent."""
    chain = SOFT_FOCAL.begin("hard-labels", "Reduction to hard labels", _at_hard(SOFT_FOCAL.value))
    chain = chain.assuming(hard(y))
    chain = chain.to("|p - y| is 1 - p or p", FOCAL.value.xreplace({GAMMA: BETA}))
    slope = FOCAL.gradient.xreplace({GAMMA: BETA})
    return chain.lemma("and so is the gradient", _at_hard(SOFT_SLOPE), slope)


def _at_hard(expression: Expr) -> Expr:
    return expression.xreplace({t: y})


def derive_soft_focal_optimum() -> Derivation:
    """The minimum is 0, at ``t = sigma(s)``: with soft labels a score is a logit."""
    chain = SOFT_FOCAL.begin("optimum", "The minimum is 0, at t = sigma(s)", SOFT_SLOPE)
    even = SOFT_SLOPE.xreplace({BETA: S(2)})
    two = r * (2 * w * entropy + r**2)
    chain = chain.lemma("at beta = 2", even, two)
    chain = chain.positive("a multiple of r that is positive", 2 * w * entropy + r**2)
    chain = chain.nonnegative("the loss", SOFT_FOCAL.value.xreplace({BETA: S(2)}))
    at_link = map_entries(SOFT_FOCAL.value.xreplace({BETA: S(2)}), t, lambda a: sigmoid(s[a]))
    return chain.lemma("is 0 at t = sigma(s)", at_link, S.Zero)


def derive_soft_focal_convexity() -> Derivation:
    """That of focal loss at a label 1."""
    bend = SOFT_BEND.xreplace({BETA: S(2), t[i]: S.One})
    return _not_convex(SOFT_FOCAL, "a label 1 at s = -4, beta = 2", bend, -4)


SOFT_FOCAL = SymbolicLoss(
    name="soft_focal",
    family="related",
    formula="Σ_i |p_i - t_i|^β (t_i log(1/p_i) + (1 - t_i) log(1/(1 - p_i))), p = σ(s)",
    labels=t,
    facts=soft(t),
    value=total(at_index(Abs(r) ** BETA * entropy, k), k),
    gradient=SOFT_SLOPE,
    hessian=KroneckerDelta(i, j) * SOFT_BEND,
    hvp=SOFT_BEND * v[i],
    names=NAMES,
    parameters=((BETA, 2.0),),
    own_topics={
        "value": derive_soft_focal_value,
        "hard-labels": derive_soft_focal_hard,
        "optimum": derive_soft_focal_optimum,
        "convexity": derive_soft_focal_convexity,
    },
)


# Asymmetric -----------------------------------------------------------------------------------

d = p - MARGIN
free = q + MARGIN
lost = -log(free)
SHIFTED = step(d) * Abs(d) ** NEGATIVE * lost
#: ``d^(h - 2)`` where ``d > 0``.
_reach = step(d) * Abs(d) ** (NEGATIVE - 2)
_rise = d * (NEGATIVE * lost + d / free)
SHIFTED_RISE = _reach * w * _rise
SHIFTED_BEND = (
    _reach
    * w
    * (
        w * (NEGATIVE * (NEGATIVE - 1) * lost + 2 * NEGATIVE * d / free + d**2 / free**2)
        + (q - p) * _rise
    )
)


def derive_asymmetric_value() -> Derivation:
    """As printed, with the shifted probability; without exponents and margin cross-entropy."""
    moved = ramp(sigmoid(s[k]) - MARGIN)
    pushed = (1 - y[k]) * moved**4 * log(1 - moved)
    pulled = y[k] * (1 - sigmoid(s[k])) * log(sigmoid(s[k]))
    chain = ASYMMETRIC.begin(
        "value", "Asymmetric loss, exponents 1 and 4", -total(pulled + pushed, k)
    )
    whole = ASYMMETRIC.value.xreplace({POSITIVE: S.One, NEGATIVE: S(4)})
    chain = chain.to("a ramp is a number where it is positive", whole)
    plain = by_label(focal_cost(S.Zero), mirrored(focal_cost(S.Zero)))
    chain = chain.lemma("without exponents and margin", total(at_index(plain, k), k), bce_value(y))
    below = SHIFTED.xreplace({MARGIN: p + RISE})
    return chain.lemma("a negative with p < m costs nothing", below, S.Zero)


def derive_asymmetric_link() -> Derivation:
    """The best score of a label of probability eta, and the probability no score stands for."""
    risk = ETA * focal_cost(POSITIVE) + (1 - ETA) * SHIFTED
    fall = focal_fall(POSITIVE)
    chain = ASYMMETRIC.begin(
        "link", "The mean loss of a label of probability eta", partial(risk, s[i])
    )
    chain = chain.differentiate().to("pushed down by G, pulled up by F", _pull(fall, SHIFTED_RISE))
    link = SHIFTED_RISE / fall
    note = "so that it vanishes exactly where eta / (1 - eta) = G' / -F'"
    rest = fall / (1 + ODDS) * (link - ODDS)
    chain = chain.to("odds of the link less odds of the label", rest, note)
    at_zero = link.xreplace({POSITIVE: S.Zero, NEGATIVE: S(4), MARGIN: Rational(1, 20)})
    odds = Rational(9, 20) ** 3 * (4 * log(Rational(20, 11)) + Rational(9, 11)) / 2
    rule = "at the default parameters s = 0 has the odds 0.146: eta = 0.128"
    return chain.lemma(rule, at_zero.xreplace({s[i]: S.Zero}), odds)


def derive_asymmetric_convexity() -> Derivation:
    """The curvature of a negative that is badly wrong."""
    bend = SHIFTED_BEND.xreplace({NEGATIVE: S(4), MARGIN: Rational(1, 20)})
    return _not_convex(ASYMMETRIC, "a negative at s = 4, exponent 4, margin 0.05", bend, 4)


_asymmetric = by_label(focal_cost(POSITIVE), SHIFTED)
_asymmetric_bend = by_label(focal_bend(POSITIVE), SHIFTED_BEND)

ASYMMETRIC = SymbolicLoss(
    name="asymmetric",
    family="related",
    formula="Σ_pos (1 - p_i)^γ₊ log(1/p_i) + Σ_neg d_i^γ₋ log(1/(1 - d_i)), d = max(σ(s) - m, 0)",
    labels=y,
    facts=replace(hard(y), fractions=frozenset({MARGIN})),
    value=total(at_index(_asymmetric, k), k),
    gradient=by_label(-focal_fall(POSITIVE), SHIFTED_RISE),
    hessian=KroneckerDelta(i, j) * _asymmetric_bend,
    hvp=_asymmetric_bend * v[i],
    names=NAMES,
    parameters=((POSITIVE, 0.0), (NEGATIVE, 4.0), (MARGIN, 0.05)),
    claims={"value": ("9064-58",)},
    own_topics={
        "value": derive_asymmetric_value,
        "link": derive_asymmetric_link,
        "convexity": derive_asymmetric_convexity,
    },
)

LOSSES = (FOCAL, SOFT_FOCAL, ASYMMETRIC)
