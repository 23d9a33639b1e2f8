r"""LaTeX as MathML, which browsers show and screen readers read without any script.

latex2mathml does the reading. What it leaves undone is put right here: a name in upright letters is
one identifier (``softmax``, not seven letters), a named function stands off its neighbours, an
arrow is a relation, and a command that it does not know is an error and never printed as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from unicodedata import category
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from latex2mathml.exceptions import (
    DenominatorNotFoundError,
    DoubleSubscriptsError,
    DoubleSuperscriptsError,
    ExtraLeftOrMissingRightError,
    MissingEndError,
    MissingSuperScriptOrSubscriptError,
    NoAvailableTokensError,
    NumeratorNotFoundError,
)
from markupsafe import Markup

__all__ = ["formula", "mathml", "pieces"]

_UNREADABLE = (
    DenominatorNotFoundError,
    DoubleSubscriptsError,
    DoubleSuperscriptsError,
    ExtraLeftOrMissingRightError,
    MissingEndError,
    MissingSuperScriptOrSubscriptError,
    NoAvailableTokensError,
    NumeratorNotFoundError,
)
# Commands unknown to latex2mathml 3.81, in commands that it knows.
_SAID_OTHERWISE = {r"\arg": r"\mathrm{arg}", r"\iff": r"\Leftrightarrow"}
# A thin space of TeX, 3/18 em.
_THIN = "0.167em"
_APPLY = "\u2061"  # read aloud as 'of', and no space
# Signs by their category in Unicode that are used as letters are.
_LETTERS = "∂∇∞"
_WITH_SCRIPTS = ("msub", "msup", "msubsup", "munder", "munderover")
_AS_LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
# A line may be broken where LaTeX has one of these, outside of all brackets.
_BREAKS = re.compile(r"\\quad|\\;")
_BRACKETS = re.compile(r"\\left\b|\\right\b|(?<!\\)[{}]")


def formula(latex: str) -> Markup:
    """The formula in pieces between which a line may break, each a ``math`` element."""
    return Markup(" ").join(mathml(piece) for piece in pieces(latex))


def pieces(latex: str) -> list[str]:
    r"""The parts between ``\quad`` or ``\;`` outside of brackets; what relates them goes on."""
    parts, start = [], 0
    for match in _BREAKS.finditer(latex):
        if _depth(latex[: match.start()]) == 0:
            parts.append(latex[start : match.start()])
            start = match.end()
    return [part.strip() for part in (*parts, latex[start:]) if part.strip()]


def _depth(latex: str) -> int:
    """How many brackets are open at the end."""
    found = _BRACKETS.findall(latex)
    opened = sum(mark in ("{", r"\left") for mark in found)
    return opened - (len(found) - opened)


@cache
def mathml(latex: str) -> Markup:
    """One ``math`` element; ValueError for a formula that cannot be converted whole."""
    said = re.sub(r"\\[a-zA-Z]+", lambda m: _SAID_OTHERWISE.get(m[0], m[0]), latex)
    try:
        written = convert(said, xmlns="", display="block")
    except _UNREADABLE as error:
        raise ValueError(f"no MathML of {latex!r}: {type(error).__name__}") from error
    root = ElementTree.fromstring(written)
    unknown = [node.text for node in root.iter() if node.text and "\\" in node.text]
    if unknown:
        raise ValueError(f"no MathML of {latex!r}: unknown {', '.join(unknown)}")
    for node in list(root.iter()):
        _put_right(node)
    root.attrib.clear()
    root.set("displaystyle", "true")
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _put_right(node: Element) -> None:
    if node.tag == "mi" and _is_relation(node.text or ""):
        node.tag = "mo"
    if node.tag == "mo" and _is_function(node):
        node.tag = "mi"  # min and max: the spaces are set below
    if node.tag == "mo" and node.text == "|":
        node.attrib.update(lspace="0", rspace="0", stretchy="false")  # a bracket, no relation
    if node.tag in _AS_LIMITS and len(node) and node[0].text in ("∑", "∏"):
        node.tag = _AS_LIMITS[node.tag]  # set below the sign where there is room
    elif node.tag == "mover" and len(node) == 2 and node[1].tag == "mo":
        node.set("accent", "true")
    joined = list(_names_joined(list(node)))
    if len(node) and node.tag in ("mrow", "math", "mstyle", "mtd"):
        node[:] = list(_set_off(joined))
    elif len(node) == 1 or len(joined) == len(node):
        node[:] = joined


def _names_joined(children: list[Element]) -> Iterator[Element]:
    """Upright letters that follow one another as one identifier."""
    name: Element | None = None
    for child in children:
        upright = child.tag == "mi" and child.get("mathvariant") == "normal"
        if upright and name is not None:
            name.text = f"{name.text}{child.text}"
            name.attrib.clear()  # more than one letter is upright by itself
        else:
            name = child if upright else None
            yield child


def _set_off(children: list[Element]) -> Iterator[Element]:
    """A thin space on either side of a named function, none at a bracket or beside an operator."""
    for place, child in enumerate(children):
        if not _is_function(child):
            yield child
            continue
        before, after = children[:place][-1:], children[place + 1 :][:1]
        if before and before[0].tag not in ("mo", "mspace") and not _is_function(before[0]):
            yield Element("mspace", width=_THIN)
        yield child
        if after and not _opens(after[0]) and after[0].tag not in ("mo", "mspace"):
            yield _operator(_APPLY)
            yield Element("mspace", width=_THIN)


def _is_relation(text: str) -> bool:
    """A mathematical sign that stands between two things, such as an arrow."""
    return len(text) == 1 and category(text) == "Sm" and text not in _LETTERS


def _is_function(node: Element) -> bool:
    core = (
        node[0]
        if node.tag in ("msub", "msup", "msubsup", "munder", "munderover") and len(node)
        else node
    )
    while core.tag == "mrow" and len(core) == 1:
        core = core[0]
    return core.tag in ("mi", "mo") and len(core.text or "") > 1 and (core.text or "").isalpha()


def _opens(node: Element) -> bool:
    """Whether it begins with a bracket."""
    while node.tag in ("mrow", "msup", "msub", "mstyle") and len(node):
        node = node[0]
    return node.tag == "mo" and (node.text or "") in ("(", "[", "{", "|")


def _operator(sign: str) -> Element:
    made = Element("mo")
    made.text = sign
    return made
