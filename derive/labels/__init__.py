"""What is done to labels before a loss sees them, and what it does to where the loss is least.

Label smoothing (:mod:`~derive.labels.smoothing`), mixup (:mod:`~derive.labels.mixing`) and the
labels that a teacher gives at a temperature (:mod:`~derive.labels.temperature`), for softmax
cross-entropy, binary cross-entropy and soft ZLPR.
"""

from __future__ import annotations

from derive.labels import mixing, smoothing, temperature
from derive.lattice.theory import Theory

LABEL_THEORY = Theory(
    name="labels",
    formula="(1-ε) y + ε/n, λ t + (1-λ) u, softmax(u/T), σ(u/T), σ(2u/T)",
    by_topic={
        "smoothing": smoothing.derive_sum,
        "smoothing-gap": smoothing.derive_gap,
        "smoothing-each": smoothing.derive_each,
        "smoothing-floor": smoothing.derive_floor,
        "mixup-linear": mixing.derive_linear,
        "mixup-zlpr": mixing.derive_zlpr,
        "temperature-softmax": temperature.derive_softmax,
        "temperature-bce": temperature.derive_bce,
        "temperature-zlpr": temperature.derive_zlpr,
        "teacher": temperature.derive_teacher,
    },
)

__all__ = ["LABEL_THEORY", "Theory"]
