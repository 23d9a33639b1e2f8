"""Multi-class cross-entropy: what holds in place of what its derivation prints."""

from __future__ import annotations

from sympy import KroneckerDelta, log

from derive.calculus import partial
from derive.facts import distribution
from derive.losses.softmax import p
from derive.losses.symbols import at_index, c, i, j, k, s, t
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import Decided
from verify.ledger.formulas import sce as of
from verify.ledger.statement import equation

__all__ = ["ENTRIES"]

ENTRIES = (
    entry_at(
        "own",
        "for SCE-0",
        "sce-printed",
        "the formulas with their signs and bars",
        r"\frac{\partial L}{\partial \hat y_i} = -\frac{\delta_{ij}}{\hat y_j}, \quad"
        r" \frac{\partial \hat y_i}{\partial z_j} = \delta_{ij} \hat y_i - \hat y_i \hat y_j, \quad"
        r" \frac{\partial L}{\partial z_i} = \hat y_i - y_i",
        Verdict.PROVED,
        Decided(
            equation(partial(-log(of.Q[c]), of.Q[i]), -of.TARGET / of.Q[c]),
            equation(partial(p, s[j]), KroneckerDelta(i, j) * p - p * at_index(p, j)),
            equation(partial(of.LOSS_OF_TARGET, s[i]), p - of.TARGET),
        ),
    ),
    entry_at(
        "own",
        "for SCE-d",
        "sce-layer",
        "the derivative of a linear layer by its weights has three indices; the gradient is an "
        "outer product",
        r"\frac{\partial z_k}{\partial W_{ai}} = \delta_{ki} x_a, \quad"
        r" \frac{\partial L}{\partial W} = x^\top (\hat y - y): (d_{in}, d)",
        Verdict.PROVED,
        Decided(
            equation(of.SLOPE_OF_LAYER, KroneckerDelta(i, k) * of.X[of.a]),
            equation(of.GRADIENTS[0], of.X[of.a] * of.RESIDUALS[0], distribution(t)),
        ),
        distribution(t).describe(),
    ),
)
