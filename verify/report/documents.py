"""The documents: their titles, where they are, and the order in which the site has them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DOCUMENTS", "Document"]


@dataclass(frozen=True)
class Document:
    """A source by its name in the ledger; ``link`` is empty where it is on no page of its own."""

    name: str
    title: str
    about: str
    link: str = ""

    @property
    def page(self) -> str:
        """The file with its statements."""
        return f"{self.name}.html"


#: By the date of the text, what came of them last.
DOCUMENTS = (
    Document(
        "SURVEY",
        "A survey of softmax losses",
        "What softmax and cross-entropy are, and how they follow from hinge losses by smoothing.",
    ),
    Document(
        "SCE",
        "The gradient of multi-class cross-entropy",
        "A derivation by matrices, from the linear layer to the gradient of its weights.",
    ),
    Document(
        "7359",
        "Softmax and cross-entropy for several labels",
        "Su Jianlin, 2020: a softmax over k-subsets, and the loss that is known as ZLPR.",
        "https://spaces.ac.cn/archives/7359",
    ),
    Document(
        "9064",
        "The soft-label version of the multi-label loss",
        "Su Jianlin, 2022: the loss for labels in [0, 1], where it comes from and its optimum; "
        "with remarks of a later commentary.",
        "https://spaces.ac.cn/archives/9064",
    ),
    Document(
        "9158",
        "An unsuccessful attempt: n classifications into m classes",
        "Su Jianlin, 2022: can a softmax classifier have the same over its samples?",
        "https://spaces.ac.cn/archives/9158",
    ),
    Document(
        "own",
        "Our own results",
        "What holds in place of each refuted statement, and what no document says.",
    ),
)
