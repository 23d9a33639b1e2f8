"""The scores that minimise the truncated loss for soft labels, by one positive number a class.

The loss is ``sum_j log D_j``. With ``rho_ij = t_ij e^{-s_ij} / D_j`` and ``r_i = sum_k e^{s_ik}``
its gradient is ``e^{s_ij} sum_k rho_ik - rho_ij r_i``, which vanishes exactly where

    t_ij = softmax_j(2 s_ij + log D_j).

Let ``G_jk = sum_i sqrt(t_ij t_ik)`` and ``(K y)_j = y_j + sum_{k != j} G_jk y_k``. The scores
``s_ij = log(t_ij)/2 + log y_j + c_i`` have ``D_j = y_j^{-2}`` exactly where ``y_j (K y)_j = 1``,
and such a ``y > 0`` is ``e^z`` at the stationary point of

    F(z) = 1/2 sum_jk K_jk e^{z_j + z_k} - sum_j z_j,

which is strictly convex and at least ``sum_j |z_j|``: there is exactly one. From there a step
``rho`` of the scores costs ``sum_j log(1 + X_j)``, ``X_j`` a sum of weights times ``e^u - 1 - u``.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, S, Symbol, exp, log

from derive.axis import Index, array, total
from derive.calculus import map_entries, partial, replace_index
from derive.derivation import Derivation
from derive.grid.sums import apart, h, i, j, k, l, own_class, p, s, t, v
from derive.grid.theory import begin, overlap, shared

D, y, shifted = (array(name, positive=True) for name in "DyQ")
z, c, rho = array("z"), array("c"), array("rho")
VALUE = total(log(own_class(j)), j)

Entry = Callable[[Index], Expr]


def _balance(sample: Index, own: Index, constant: Entry) -> Expr:
    """``e^{s_ij} sum_k rho_ik - rho_ij r_i`` with ``rho_ij = t_ij e^{-s_ij} / D_j``."""

    def share(to: Index) -> Expr:
        return t[sample, to] * exp(-s[sample, to]) / constant(to)

    mass = total(exp(s[sample, l]), l)
    return exp(s[sample, own]) * total(share(k), k) - share(own) * mass


def _link(sample: Index, own: Index) -> Expr:
    """``softmax_j(2 s_ij + log D_j)``."""
    whole = total(D[h] * exp(2 * s[sample, h]), h)
    return D[own] * exp(2 * s[sample, own]) / whole


def derive_link() -> Derivation:
    """``t = softmax(2s + log D)`` is where the gradient vanishes, and only that."""
    title = "The truncated loss is least where t = softmax(2s + log D)"
    chain = begin("truncated-link", title, partial(VALUE, s[i, j]))
    chain = chain.to("with the shares of the logs", _balance(i, j, own_class), "D_j as it stands")
    named = _balance(i, j, lambda to: D[to])
    rule = "at t = softmax(2s + log D) it vanishes, whatever the D_j > 0 are"
    chain = chain.lemma(rule, map_entries(named, t, _link), S.Zero)
    weighted = named * exp(s[i, j]) * D[j] / total(exp(s[i, l]), l)
    moved = total(replace_index(weighted, j, h), h)
    note = "convex (its own derivation), so that the stationary points are the minimisers"
    rule = "elsewhere it does not: the difference is a combination of gradients"
    difference = t[i, j] - _link(i, j)
    return chain.lemma(rule, difference, _link(i, j) * moved - weighted, note)


def _scores(sample: Index, own: Index) -> Expr:
    """``log(t_ij)/2 + log y_j + c_i``."""
    return log(t[sample, own]) / 2 + log(y[own]) + c[sample]


def _at_scores(expression: Expr) -> Expr:
    return map_entries(expression, s, _scores)


def balanced(own: Index, entry: Entry = lambda to: y[to]) -> Expr:
    """``y_j (K y)_j = y_j^2 + y_j sum_{k != j} G_jk y_k``, which is to be 1."""
    others = total(apart(own, l) * overlap(own, l) * entry(l), l)
    return entry(own) ** 2 + entry(own) * others


def derive_solution() -> Derivation:
    """From labels to scores: m equations in m unknowns."""
    title = "The scores that minimise the truncated loss"
    start = _at_scores(own_class(j))
    chain = begin("truncated-solution", title, start, claims=("9158-d", "9158-j2"))
    others = total(apart(j, l) * overlap(j, l) * y[l], l)
    chain = chain.to("at s = log(t)/2 + log y + c", 1 + others / y[j])
    residual = (balanced(j) - 1) / y[j] ** 2
    rule = "so D_j = 1 / y_j^2 exactly where y_j (K y)_j = 1"
    chain = chain.lemma(rule, 1 + others / y[j] - y[j] ** -2, residual)
    link = map_entries(_at_scores(_link(i, j)), D, lambda to: y[to] ** -2)
    chain = chain.lemma("and with these D the labels are softmax(2s + log D)", link, t[i, j])
    value = total(log(D[j]), j)
    least = map_entries(value, D, lambda to: y[to] ** -2)
    return chain.lemma("the minimum", least, -2 * total(log(y[j]), j))


def _cost() -> Expr:
    """``F(z) = 1/2 sum_jk K_jk e^{z_j + z_k} - sum_j z_j``."""
    pairs = apart(j, k) * overlap(j, k) * exp(z[j] + z[k])
    own = total(exp(2 * z[j]) / 2 - z[j], j)
    return own + total(total(pairs, k), j) / 2


def derive_class_constants() -> Derivation:
    """Exactly one positive y solves ``y_j (K y)_j = 1``: F is strictly convex and coercive."""
    cost = _cost()
    pairs = apart(j, k) * overlap(j, k) * exp(z[j] + z[k])
    title = "Exactly one y > 0 solves the m equations"
    chain = begin("class-constants", title, partial(cost, z[j]))
    equations = balanced(j, lambda to: exp(z[to])) - 1
    chain = chain.to("its stationary points, y = e^z", equations)
    form = total(total(partial(cost, z[j], z[k]) * v[j] * v[k], k), j)
    squares = 2 * total(exp(2 * z[j]) * v[j] ** 2, j)
    squares += total(total(pairs * (v[j] + v[k]) ** 2, k), j) / 2
    chain = chain.lemma("its Hessian, as squares", form, squares)
    chain = chain.nonnegative("is never negative", squares)
    chain = chain.forces("and vanishes nowhere: at most one stationary point", squares, v[j])
    return _coercive(chain, cost, total(total(pairs, k), j) / 2)


def _coercive(chain: Derivation, cost: Expr, pairs: Expr) -> Derivation:
    """``F(z) >= sum_j |z_j|``, so that F has a least value, at a stationary point."""
    own = exp(2 * z[j]) / 2
    chain = chain.lemma("F, class by class and by pairs", cost, total(own - z[j], j) + pairs)
    chain = chain.nonnegative("the pairs add to it", pairs)
    chain = chain.positive("a class adds more than -z_j", own)
    tangent = own - 1 - log(own)
    rest = tangent + 1 - log(S(2))
    chain = chain.lemma("and more than z_j", own - 2 * z[j], rest)
    note = "F(z) >= sum |z_j|: it has a minimum, which is the stationary point"
    return chain.positive("as an exponential is above its tangent", rest, note)


def _step(sample: Index, own: Index, other: Index) -> Expr:
    """``rho_ik - rho_ij``."""
    return rho[sample, other] - rho[sample, own]


def _over_others(body: Callable[[Index, Index, Index], Expr], own: Index) -> Expr:
    """``sum_i sum_{k != j} sqrt(t_ij t_ik) y_j y_k body_ijk``."""
    weight = shared(p, own, h) * y[own] * y[h]
    return total(total(apart(own, h) * weight * body(p, own, h), h), p)


def mean_step(own: Index) -> Expr:
    """``M_j``: the mean of ``rho_ik - rho_ij`` under the weights of class j."""
    return _over_others(_step, own)


def _excess(own: Index) -> Expr:
    """``X_j = sum_e w_e (e^{u_e} - 1 - u_e)``, ``u_e`` the step less its mean; the 1 has step 0."""

    def above(step: Expr) -> Expr:
        u = step - mean_step(own)
        return exp(u) - 1 - u

    terms = _over_others(lambda *where: above(_step(*where)), own)
    return y[own] ** 2 * above(S.Zero) + terms


def _shifted(own: Index) -> Expr:
    """``y_j^2 e^{-M_j} + sum_i sum_{k != j} w_ijk e^{rho_ik - rho_ij - M_j}``."""
    mean = mean_step(own)
    terms = _over_others(lambda *where: exp(_step(*where) - mean), own)
    return y[own] ** 2 * exp(-mean) + terms


def derive_minimum() -> Derivation:
    """A direct proof: what a step from the solution costs, without calculus."""

    def stepped(expression: Expr) -> Expr:
        return map_entries(expression, s, lambda *at: _scores(*at) + rho[at])

    title = "No scores have less of the truncated loss, and no others as little"
    start = stepped(VALUE) + 2 * total(log(y[j]), j)
    names = ((Symbol("X_j"), _excess(j)), (Symbol("M_j"), mean_step(j)))
    chain = begin("truncated-minimum", title, start, names=names)
    argument = y[j] ** 2 + _over_others(lambda *where: exp(_step(*where)), j)
    chain = chain.rewrite(
        "a step rho from the solution", stepped(own_class(j)), argument / y[j] ** 2
    )
    chain = chain.rewrite("the mean step taken out", argument, exp(mean_step(j)) * _shifted(j))
    means = total(mean_step(j), j)
    apart_logs = means + total(log(_shifted(j)), j)
    chain = chain.generally("of the log", apart_logs, {_shifted(j): shifted[j]})
    chain = chain.rewrite(
        "the weights are symmetric in the classes: the means cancel", means, S.Zero
    )
    excess, missed = _excess(j), (balanced(j) - 1) * (1 - mean_step(j))
    chain = chain.rewrite("in sum", _shifted(j), 1 + excess + missed)
    gap = total(log(1 + excess), j)
    note = "y_j (K y)_j = 1: the last bracket is 0, and the gap is sum_j log(1 + X_j)"
    chain = chain.nonnegative("never negative where y solves the equations", gap, note)
    chain = chain.forces("it closes only where every X_j is 0", gap, excess)
    chain = chain.forces("which needs that the mean step is 0", excess, -mean_step(j))
    equal_steps = apart(j, k) * (_step(i, j, k) - mean_step(j))
    note = "so rho_ik = rho_ij: the row moves as one, and the solution is unique but for that"
    return chain.forces("and each step the mean", excess, equal_steps, note)
