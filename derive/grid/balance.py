"""How much a log per class balances: its share of the loss, and how hard it pulls.

The share of class j in the truncated loss is ``log(1 + N_j)`` with
``N_j = sum_i t_ij sum_{k != j} e^{s_ik - s_ij}``, and its pull, what its log adds to the gradient
by the scores of its own class, is ``N_j / (1 + N_j) < 1``. ``N_j`` grows with the samples:

* where ``N_j`` is large, the share is ``log N_j`` up to ``1/N_j`` and the pull is near 1 for every
  class: the log of the count, as the document has it. Scores that are equal within each sample have
  ``N_j = (m - 1) n_j`` with the count ``n_j = sum_i t_ij``;
* where ``N_j`` is small, share and pull are ``N_j`` up to ``N_j^2``: the count again. Well fitted
  hard labels are there.

A class with lambda times the samples has ``lambda N_j``: its share is larger by at most
``log lambda``, its pull by the factor ``1 + (lambda - 1) / (1 + lambda N_j)``, from 1 to lambda.
The pairwise loss has a log for each other class, with ``n_j`` where the truncated has
``(m - 1) n_j``.
"""

from __future__ import annotations

from sympy import Expr, Symbol, exp, log, sqrt

from derive.axis import Index, array, total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import hard_rows
from derive.grid.sums import (
    CLASSES,
    SAMPLES,
    SOFT,
    apart,
    h,
    i,
    j,
    k,
    l,
    own_class,
    p,
    pair,
    s,
    t,
    term,
)
from derive.grid.theory import begin, overlap

#: ``N_j``, the classes beyond two, and how many times more samples there are, less one.
N, THIRD = Symbol("N", positive=True), Symbol("mu", nonnegative=True)
MORE = Symbol("kappa", nonnegative=True)
TIMES = 1 + MORE
#: Smoothed labels: ``1 - epsilon + epsilon / m`` where the label is 1, ``epsilon / m`` elsewhere.
HIGH, LOW = Symbol("H", positive=True), Symbol("L", positive=True)
c = array("c")
COUNT = total(t[p, j], p)


def odds(sample: Index, own: Index) -> Expr:
    """``sum_{k != j} e^{s_ik - s_ij}``."""
    return total(apart(own, h) * exp(s[sample, h] - s[sample, own]), h)


def load() -> Expr:
    """``N_j``."""
    return total(t[p, j] * odds(p, j), p)


def pull(argument: Expr) -> Expr:
    """``-sum_i`` of the derivatives of a log by the scores of its own class."""
    return -total(partial(log(argument), s[i, j]), i)


def _untrained(expression: Expr) -> Expr:
    """The expression where all scores of a sample are equal."""
    return map_entries(expression, s, lambda sample, _: c[sample])


def derive_share() -> Derivation:
    """Between the count and its log: the value of one class."""
    title = "The share of a class in the loss: the log of its count where its load is large"
    claims = ("9158-m", "9158-n")
    chain = begin("balance-value", title, log(own_class(j)), SOFT, claims)
    chain = chain.to("the load of class j", log(1 + load()))
    entropy = total(t[p, j] * log(1 + odds(p, j)), p)
    uniform = COUNT * log(CLASSES.size)
    chain = chain.lemma("of the plain sum, untrained: the count", _untrained(entropy), uniform)
    start = log(1 + (CLASSES.size - 1) * COUNT)
    chain = chain.lemma("of the log, untrained", _untrained(log(own_class(j))), start)
    small = N - log(1 + N)
    chain = chain.nonnegative("a share is at most its load", small)
    above = log(1 + N) - N / (1 + N)
    chain = chain.nonnegative("and at least the pull", above)
    between = N - N / (1 + N), N**2 / (1 + N)
    chain = chain.lemma("which differ by less than N^2: small loads count", *between)
    chain = chain.lemma("a large load counts by its log", log(1 + N) - log(N), log(1 + 1 / N))
    chain = chain.nonnegative("but for less than 1 / N", 1 / N - log(1 + 1 / N))
    return _more_samples(chain)


def _more_samples(chain: Derivation) -> Derivation:
    """``0 <= log(1 + lambda N) - log(1 + N) <= log lambda``."""
    gained = log(1 + TIMES * N) - log(1 + N)
    left = log(1 + MORE / (1 + TIMES * N))
    chain = chain.lemma("1 + kappa times the samples", log(TIMES) - gained, left)
    chain = chain.nonnegative("add at most log(1 + kappa) to a share", left)
    more = log(1 + MORE * N / (1 + N))
    chain = chain.lemma("and", gained, more)
    return chain.nonnegative("never less than nothing", more)


def derive_pull() -> Derivation:
    """Between the count and one: the gradient of one class."""
    title = "The pull of a class on its scores: bounded, whatever its count"
    chain = begin("balance-gradient", title, pull(own_class(j)), SOFT, ("9158-o",))
    chain = chain.to("the pull of class j", load() / (1 + load()))
    chain = chain.positive("is less than 1", 1 - N / (1 + N))
    entropy = -total(partial(total(t[p, j] * log(1 + odds(p, j)), p), s[i, j]), i)
    plain = total(t[p, j] * odds(p, j) / (1 + odds(p, j)), p)
    chain = chain.lemma("in the plain sum every sample pulls by itself", entropy, plain)
    ratio = 1 + MORE / (1 + TIMES * N)
    more = TIMES * N / (1 + TIMES * N) / (N / (1 + N))
    chain = chain.lemma("with 1 + kappa times the samples it grows by the factor", more, ratio)
    less = TIMES - ratio, MORE * TIMES * N / (1 + TIMES * N)
    chain = chain.lemma("which is smaller than that of the samples", *less)
    note = "by a lot where N is large, by nothing as N goes to 0"
    return chain.nonnegative("never larger", less[1], note)


def derive_pairwise() -> Derivation:
    """The same for the pairwise loss: a log for every other class."""
    title = "Shares and pulls of a class in the pairwise loss"
    chain = begin("balance-pairwise", title, pull(pair(j, k)), SOFT)
    mass = total(term(p, j, k), p)
    chain = chain.to("the pull of a pair", apart(j, k) * mass / (1 + mass))
    share = total(apart(j, l) * log(pair(j, l)), l)
    uniform = (CLASSES.size - 1) * log(1 + COUNT)
    chain = chain.lemma("untrained, the share of a class", _untrained(share), uniform)
    loads = N, (1 + THIRD) * N
    of_pair, of_class = (1 + MORE / (1 + TIMES * load) for load in loads)
    ahead = MORE * TIMES * THIRD * N / ((1 + TIMES * loads[0]) * (1 + TIMES * loads[1]))
    rule = "with 1 + kappa times the samples its pull grows by more than in the truncated loss"
    chain = chain.lemma(rule, of_pair - of_class, ahead)
    note = "untrained, N = n_j against (m - 1) n_j: of the two the truncated loss balances more"
    return chain.nonnegative("or as much, for m = 2", ahead, note)


def _smoothed(expression: Expr) -> Expr:
    return map_entries(expression, t, lambda *at: LOW + (HIGH - LOW) * t[at])


def derive_smoothing() -> Derivation:
    """Smoothed labels, ``H`` where the label is 1 and ``L`` elsewhere: every sample counts."""
    title = "Label smoothing evens out the loads, and keeps them from going to 0"
    chain = begin("balance-smoothing", title, _smoothed(load()), hard_rows(t))
    mixed = (HIGH - LOW) * load() + LOW * total(odds(p, j), p)
    chain = chain.to("a part of the odds of every sample", mixed)
    counts = (CLASSES.size - 1) * (HIGH * COUNT + LOW * (SAMPLES.size - COUNT))
    chain = chain.lemma(
        "untrained: the counts move together", _untrained(_smoothed(load())), counts
    )
    with_labels = HIGH * COUNT + LOW * (SAMPLES.size - COUNT) - LOW * SAMPLES.size
    chain = chain.lemma("none is below L n", with_labels, (HIGH - LOW) * COUNT)
    one, both = t[p, j] + t[p, k] - 2 * t[p, j] * t[p, k], t[p, j] * t[p, k]
    roots = HIGH * both + sqrt(HIGH * LOW) * one + LOW * (1 - one - both)
    rule = "at the minimum of the pairwise loss the load of a pair is G_jk"
    note = "for j != k: (n_j + n_k) sqrt(H L) + (n - n_j - n_k) L, which no training takes away"
    return chain.lemma(rule, _smoothed(overlap(j, k)), total(roots, p), note)
