"""The topics of the n x m losses together, each with the module that derives it."""

from __future__ import annotations

from derive.grid import (
    balance,
    constant_sum,
    frequencies,
    hard,
    pairs,
    smooth,
    solution,
    symmetry,
    two_classes,
)
from derive.lattice.theory import Theory

GRID = Theory(
    name="grid",
    formula="Σ log(1 + Σ t_ij e^(s_ik - s_ij)), the sum over samples inside each log",
    by_topic={
        "truncated-link": solution.derive_link,
        "truncated-solution": solution.derive_solution,
        "class-constants": solution.derive_class_constants,
        "truncated-minimum": solution.derive_minimum,
        "constant-sum": constant_sum.derive_stationarity,
        "constant-sum-minimum": constant_sum.derive_minimum,
        "constant-sum-hard": constant_sum.derive_hard_labels,
        "pairwise-optimum": pairs.derive_pairwise_optimum,
        "pairwise-smooth": smooth.derive_smoothness,
        "mirrored-optimum": pairs.derive_mirrored_optimum,
        "hard-labels": hard.derive_hard_labels,
        "why-two": symmetry.derive_stationarity,
        "symmetric-losses": symmetry.derive_members,
        "truncated-asymmetry": symmetry.derive_truncated,
        "balance-value": balance.derive_share,
        "balance-gradient": balance.derive_pull,
        "balance-pairwise": balance.derive_pairwise,
        "balance-smoothing": balance.derive_smoothing,
        "frequencies-pairwise": frequencies.derive_pairwise,
        "frequencies-truncated": frequencies.derive_truncated,
        "two-classes": two_classes.derive_two_classes,
    },
)

__all__ = ["GRID"]
