"""The pseudo-code of document 9064, section 9, on NumPy, and what it computes."""

from __future__ import annotations

from flint import arb

from verify.ledger.balls import Enclosure
from verify.ledger.printed import SNIPPETS, NumpyLibrary

# A mask of the document's GlobalPointer, and a confident positive.
MASKED, CONFIDENT = -1e7, 20.0


def code_at(label: float, score: float, fixed: bool) -> arb:
    """As printed; ``fixed`` sets the masks by the labels before the clip, as the text says."""
    snippet = SNIPPETS["9064 text" if fixed else "9064 code"]
    value, _ = NumpyLibrary().run(snippet, [label], [score], "float64")
    return arb(value)


def masks_never_act() -> list[Enclosure]:
    """No clipped label is below epsilon: a masked negative costs 1e7."""
    where = "float64, t = 0, s = -1e7 (masked)"
    names = ("the printed code", "the cost of a masked label is 0; bound")
    return [Enclosure(where, code_at(0.0, MASKED, False), ">", arb("9.9e6"), names)]


def confident_positive_costs() -> list[Enclosure]:
    """A clipped label 1 leaves ``eps e^s`` in the other sum."""
    truth = (arb(-20).exp()).log1p()
    where = f"float64, t = 1, s = 20, where eq. 39 is {truth.str(6, radius=False)}"
    names = ("the printed code", "bound")
    return [Enclosure(where, code_at(1.0, CONFIDENT, False), ">", arb("3.8"), names)]


def original_labels_asked() -> list[Enclosure]:
    """With the labels before the clip both costs are gone."""
    masked, confident = code_at(0.0, MASKED, True), code_at(1.0, CONFIDENT, True)
    names = ("the corrected code", "bound")
    return [
        Enclosure("float64, t = 0, s = -1e7", masked, "<", arb("1e-9"), names),
        Enclosure("float64, t = 1, s = 20", confident, "<", arb("3e-9"), names),
    ]
