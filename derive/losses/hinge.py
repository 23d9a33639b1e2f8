"""The hinge family: from counting lost comparisons to softmax cross-entropy (document 004, s3).

One class c is right, ``y`` is its one-hot label and ``z = sum_j y_j s_j = s_c`` its score. With
``x_i = s_i - z + m``, the lead of class i and a margin::

    hinge       sum_i (1 - y_i) ramp(x_i)
    max_hinge   max_i (1 - y_i) x_i
    lse_hinge   ramp(X),   X = log sum_i (1 - y_i) e^{s_i} - z + m

In the second the entry of the target is 0, so that ``max(max_{i != c} x_i, 0)`` is one maximum
over all classes. Each is 0 exactly where the target leads as it should; ``softplus(X)`` at m = 0
is softmax cross-entropy. Derivatives are those off the kinks.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import array, total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import Facts
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import LABELS, Z_NAME, at_index, c, i, j, k, mean, s, spread, v, y
from derive.losses.unified import MARGIN
from derive.ramps import Largest, leads, ramp, step

ONE_HOT = Facts(hard=frozenset({y}), distribution=frozenset({y}))
#: Scores at another point, weights, a number, and a number that is not negative.
u, w = array("u"), array("w")
NUMBER, OTHER = (Symbol(name, real=True) for name in "ab")
RISE = Symbol("d", nonnegative=True)
#: The score of the target where it is written by itself.
SCORE = Symbol("z", real=True)

TARGET = total(y[j] * s[j], j)
lead = s[i] - TARGET + MARGIN
other = 1 - y[i]
lead_k, other_k = at_index(lead, k), at_index(other, k)

HINGE_VALUE = total(other_k * ramp(lead_k), k)
LOST = total(other_k * step(lead_k), k)
TOP = Largest(other_k * lead_k, LABELS.limits(k))
LOST_TOP = total(other_k * leads(TOP, k), k)
OTHERS = total(other_k * exp(s[k]), k)
LSE_LEAD = log(OTHERS) - TARGET + MARGIN
ACTIVE = step(LSE_LEAD)
SHARE = other * exp(s[i]) / OTHERS
#: n other classes with the scores s and the target by itself, so that there always is another.
ALL = total(exp(s[k]), k)
APART = log(ALL) - SCORE + MARGIN

HINGE_GRADIENT = other * step(lead) - y[i] * LOST
MAX_GRADIENT = other * leads(TOP, i) - y[i] * LOST_TOP
LSE_GRADIENT = ACTIVE * (SHARE - y[i])


def elsewhere(expression: Expr) -> Expr:
    """The same at the scores ``u``."""
    return map_entries(expression, s, lambda index: u[index])


def tangent_gap(value: Expr, gradient: Expr) -> Expr:
    """``f(u) - f(s) - sum_i f'_i(s) (u_i - s_i)``: what is left above the tangent at s."""
    slope = total(at_index(gradient, k) * (u[k] - s[k]), k)
    return elsewhere(value) - value - slope


# Each comparison by itself --------------------------------------------------------------------


def derive_hinge_definition() -> Derivation:
    """The loss of one comparison, and what is left of it without a margin."""
    chain = HINGE.begin("definition", "Hinge", HINGE_VALUE)
    chain = chain.to(
        "a ramp is a number where it is positive", total(other_k * lead_k * step(lead_k), k)
    )
    chain = chain.nonnegative("every term is non-negative", HINGE_VALUE)
    two_ramps = ramp(NUMBER) - ramp(-NUMBER)
    return chain.lemma("what a ramp leaves out is the other ramp", two_ramps, NUMBER)


def derive_hinge_margin() -> Derivation:
    """The loss is 0 exactly where the target leads every other class by the margin."""
    chain = HINGE.begin("margin", "Where the loss is zero", HINGE_VALUE)
    chain = chain.forces("no loss: each other class has none", HINGE_VALUE, other * ramp(lead))
    chain = chain.lemma("without it the lead is", lead - ramp(lead), -ramp(-lead))
    chain = chain.nonnegative("not positive: s_i + m <= s_c", ramp(-lead))
    behind = array("d", nonnegative=True)

    def led(expression: Expr) -> Expr:
        behind_by = MARGIN + behind[i]
        return map_entries(expression, s, lambda at: SCORE - (1 - y[at]) * at_index(behind_by, at))

    return chain.lemma("and where each stands behind by m + d_i, it is 0", led(HINGE_VALUE), S.Zero)


def derive_hinge_bounds() -> Derivation:
    """At the target minus the number of lost comparisons, elsewhere 0 or 1."""
    chain = HINGE.begin("bounds", "Gradient: a count", y[i] * HINGE_GRADIENT)
    chain = chain.to("at the target minus the count", -y[i] * LOST)
    chain = chain.lemma("elsewhere a step", other * HINGE_GRADIENT, other * step(lead))
    chain = chain.nonnegative("at least 0", other * step(lead))
    chain = chain.nonnegative("at most 1", 1 - step(lead))
    gradient = at_index(HINGE_GRADIENT, k)
    chain = chain.lemma("the components sum to zero", total(gradient, k), S.Zero)
    sizes = total((1 - 2 * y[k]) * gradient, k)
    chain = chain.lemma("their sizes sum to twice the count", sizes, 2 * LOST)
    unlost = total(other_k * (1 - step(lead_k)), k)
    chain = chain.lemma("which is n - 1 less the comparisons won", LABELS.size - 1 - LOST, unlost)
    return chain.nonnegative("hence at most n - 1", unlost)


def derive_hinge_convexity() -> Derivation:
    """Above each of its tangents, kinks or not."""
    lead_u = elsewhere(lead_k)
    left = total(other_k * (step(lead_k) * ramp(-lead_u) + (1 - step(lead_k)) * ramp(lead_u)), k)
    chain = HINGE.begin("convexity", "Convexity", tangent_gap(HINGE_VALUE, HINGE_GRADIENT))
    chain = chain.to("where the step is 1 a ramp is missing, where it is 0 there is one", left)
    return chain.nonnegative("every term is non-negative: above each tangent", left)


def derive_hinge_order() -> Derivation:
    """The sum of all lost comparisons is at least the largest."""
    weighed = total(other_k * w[k] * lead_k, k)
    gap = total(other_k * ((1 - w[k]) * ramp(lead_k) + w[k] * ramp(-lead_k)), k)
    chain = HINGE.begin("order", "At least the largest", HINGE_VALUE - weighed)
    chain = chain.assuming(replace(ONE_HOT, unit=frozenset({w})))
    chain = chain.to("less the leads with weights in [0, 1]", gap)
    chain = chain.nonnegative("every term is non-negative", gap)
    largest = total(other_k * leads(TOP, k) * lead_k, k)
    return chain.assuming(ONE_HOT).lemma("weights that give the largest", TOP, largest)


# The largest comparison -----------------------------------------------------------------------


def derive_max_definition() -> Derivation:
    """The largest lead is that of one class, and at least that of every other class."""
    chain = MAX_HINGE.begin("definition", "Max-hinge", TOP)
    chain = chain.to("the entry that leads", total(leads(TOP, k) * other_k * lead_k, k))
    chain = chain.lemma("one entry leads", total(leads(TOP, k), k), S.One)
    chain = chain.nonnegative("it is at least each lead", TOP - other * lead)
    own = total(y[k] * (TOP - other_k * lead_k), k)
    chain = chain.lemma("and what it is above the entry of the target, 0", TOP, own)
    return chain.nonnegative("hence at least 0", own)


def derive_max_bounds() -> Derivation:
    """At most one component is 1 and at most one is -1."""
    chain = MAX_HINGE.begin("bounds", "Gradient: one up, one down", y[i] * MAX_GRADIENT)
    chain = chain.to("at the target", -y[i] * LOST_TOP)
    up = other * leads(TOP, i)
    chain = chain.lemma("elsewhere 1 only at the class that leads", other * MAX_GRADIENT, up)
    gradient = at_index(MAX_GRADIENT, k)
    chain = chain.lemma("the components sum to zero", total(gradient, k), S.Zero)
    sizes = total((1 - 2 * y[k]) * gradient, k)
    chain = chain.lemma("their sizes sum to twice that of the target", sizes, 2 * LOST_TOP)
    own = total(y[k] * leads(TOP, k), k)
    chain = chain.lemma("the target has -1 unless it leads itself", 1 - LOST_TOP, own)
    return chain.nonnegative("hence at most 1", own)


def derive_max_convexity() -> Derivation:
    """Above each of its tangents: a maximum of linear functions."""
    top, entry = elsewhere(TOP), elsewhere(other_k * lead_k)
    left = total(leads(TOP, k) * (top - entry), k)
    chain = MAX_HINGE.begin("convexity", "Convexity", tangent_gap(TOP, MAX_GRADIENT))
    chain = chain.to("the largest at u is above the entry that leads at s", left)
    return chain.nonnegative("every term is non-negative: above each tangent", left)


# Smoothed: log-sum-exp, then softplus ---------------------------------------------------------


def derive_lse_definition() -> Derivation:
    """Log-sum-exp of the others is at least each of them: the loss is at least that of one."""
    rest = total((1 - KroneckerDelta(i, k)) * other_k * exp(s[k]), k)
    chain = LSE_HINGE.begin("definition", "Log-sum-exp in place of the maximum", OTHERS)
    chain = chain.to("one class and the rest", other * exp(s[i]) + rest)
    chain = chain.nonnegative("the rest is non-negative: LSE >= s_i, so X >= x_i", rest)
    excess = exp(LSE_LEAD) - other * exp(lead)
    over = exp(MARGIN - TARGET) * rest
    chain = chain.lemma("the lead of all over the lead of one, as exponentials", excess, over)
    return chain.nonnegative("hence at least the max-hinge", over)


def derive_smooth_maximum() -> Derivation:
    """``M <= log sum e^s <= M + log n``: the smooth maximum, within log n."""
    largest = Largest(s[k], LABELS.limits(k))
    short = total(exp(s[j]) * (exp(largest - s[j]) - 1), j)
    chain = LSE_HINGE.begin(
        "smooth-maximum", "Log-sum-exp and the maximum", LABELS.size * exp(largest) - ALL
    )
    chain = chain.to("what each class is short of the largest", short)
    chain = chain.nonnegative("LSE <= max + log n", short)
    rest = total((1 - KroneckerDelta(i, k)) * exp(s[k]), k)
    chain = chain.lemma("the others besides one class", ALL - exp(s[i]), rest)
    return chain.nonnegative("LSE >= each score, the largest too", rest)


def derive_lse_bounds() -> Derivation:
    """The pull is shared: the others sum to 1, the target has -1."""
    value = ramp(APART)
    chain = LSE_HINGE.begin("bounds", "Gradient: shared, of fixed size", partial(value, s[i]))
    share = exp(s[i]) / ALL
    chain = chain.to("s_i of n others, z the target: a share where active", step(APART) * share)
    chain = chain.nonnegative("which is not negative", step(APART) * share)
    chain = chain.lemma("the target", partial(value, SCORE), -step(APART))
    others = total(partial(value, s[i]), i)
    return chain.lemma("the shares sum to 1: with the target 0, their sizes 2", others, step(APART))


def derive_lse_convexity() -> Derivation:
    """``X`` is convex, and a ramp of it: off the kink and across it."""
    weight = other * exp(s[i])
    form = total(total(LSE_HINGE.hessian * v[j], j) * v[i], i)
    chain = LSE_HINGE.begin("convexity", "Convexity", form)
    chain = chain.to("complete the squares", ACTIVE * spread(weight) / OTHERS**2)
    chain = chain.nonnegative("off the kink: every term is non-negative", spread(weight))
    across = ramp(OTHER) - ramp(NUMBER) - step(NUMBER) * (OTHER - NUMBER)
    left = step(NUMBER) * ramp(-OTHER) + (1 - step(NUMBER)) * ramp(OTHER)
    chain = chain.lemma("across it: the tangent of a ramp", across, left)
    return chain.nonnegative("is below the ramp, which rises", left)


def derive_softplus() -> Derivation:
    """Softplus is above the ramp by at most log 2; of X it is softmax cross-entropy."""
    x, size = NUMBER, ramp(NUMBER) + ramp(-NUMBER)
    chain = LSE_HINGE.begin("softplus", "Softplus in place of the ramp", log(1 + exp(x)) - ramp(x))
    chain = chain.to("the gap is even in x", log(1 + exp(-size)))
    chain = chain.nonnegative("hence at least the ramp", log(1 + exp(-size)))
    below = log(1 + (exp(size) - 1) / (exp(size) + 1))
    chain = chain.lemma("short of log 2 by", log(2) - log(1 + exp(-size)), below)
    chain = chain.nonnegative("hence at most the ramp and log 2", below)
    softmax = exp(s[c]) / ALL
    chain = chain.lemma(
        "of the lead: cross-entropy", _one_class(log(1 + exp(LSE_LEAD))), -log(softmax)
    )
    return chain


def _one_class(expression: Expr) -> Expr:
    """For the one-hot label of class c and no margin."""
    one_hot = map_entries(expression, y, lambda index: KroneckerDelta(index, c))
    return one_hot.xreplace({MARGIN: S.Zero})


HINGE = SymbolicLoss(
    name="hinge",
    family="hinge",
    formula="Σ_{i≠c} max(s_i - s_c + m, 0)",
    labels=y,
    facts=ONE_HOT,
    value=HINGE_VALUE,
    gradient=HINGE_GRADIENT,
    hessian=S.Zero,
    hvp=S.Zero,
    parameters=((MARGIN, 0.0),),
    claims={"definition": ("SURVEY-20", "SURVEY-22"), "bounds": ("SURVEY-23",)},
    own_topics={
        "definition": derive_hinge_definition,
        "margin": derive_hinge_margin,
        "bounds": derive_hinge_bounds,
        "order": derive_hinge_order,
        "convexity": derive_hinge_convexity,
    },
)
MAX_HINGE = SymbolicLoss(
    name="max_hinge",
    family="hinge",
    formula="max(max_{i≠c} s_i - s_c + m, 0)",
    labels=y,
    facts=ONE_HOT,
    value=TOP,
    gradient=MAX_GRADIENT,
    hessian=S.Zero,
    hvp=S.Zero,
    parameters=((MARGIN, 0.0),),
    claims={"definition": ("SURVEY-24",), "bounds": ("SURVEY-25",)},
    own_topics={
        "definition": derive_max_definition,
        "bounds": derive_max_bounds,
        "convexity": derive_max_convexity,
    },
)
LSE_HINGE = SymbolicLoss(
    name="lse_hinge",
    family="hinge",
    formula="max(log Σ_{i≠c} e^(s_i) - s_c + m, 0)",
    labels=y,
    facts=ONE_HOT,
    value=ramp(LSE_LEAD),
    gradient=LSE_GRADIENT,
    hessian=ACTIVE * SHARE * (KroneckerDelta(i, j) - at_index(SHARE, j)),
    hvp=ACTIVE * SHARE * (v[i] - mean(SHARE)),
    names=((Z_NAME, OTHERS),),
    parameters=((MARGIN, 0.0),),
    claims={
        "definition": ("SURVEY-29",),
        "smooth-maximum": ("SURVEY-28", "SURVEY-32"),
        "gradient": ("SURVEY-30",),
        "bounds": ("SURVEY-31",),
        "softplus": ("SURVEY-35", "SURVEY-37"),
    },
    own_topics={
        "definition": derive_lse_definition,
        "smooth-maximum": derive_smooth_maximum,
        "bounds": derive_lse_bounds,
        "softplus": derive_softplus,
        "convexity": derive_lse_convexity,
    },
)
LOSSES = (HINGE, MAX_HINGE, LSE_HINGE)
