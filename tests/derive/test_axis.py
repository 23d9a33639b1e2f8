"""Axes and indices: identity, fresh names, limits, and the errors of a wrong axis."""

from __future__ import annotations

import pickle

import pytest
import sympy
from sympy import S, Symbol, Tuple, exp, latex, srepr

from derive.axis import Axis, Index, array, labels_axis, total

LABELS = labels_axis()
SAMPLES = Axis("samples", Symbol("N", integer=True, positive=True), letters="ab")


def test_an_index_is_its_name_and_its_axis():
    assert LABELS.index("i") == labels_axis().index("i")
    assert hash(LABELS.index("i")) == hash(labels_axis().index("i"))
    assert LABELS.index("i") != LABELS.index("j")
    assert LABELS.index("i") != SAMPLES.index("i")
    assert LABELS.index("i") != Symbol("i", integer=True, nonnegative=True)


def test_letters_tell_no_two_axes_apart():
    """SymPy keeps one of two equal indices, so their axes must be equal as well."""
    lettered = Axis(LABELS.name, LABELS.size, letters="xyz")
    assert lettered.index("i") == LABELS.index("i")
    assert lettered == LABELS
    assert hash(lettered) == hash(LABELS)


def test_indices_reads_names_as_symbols_does():
    assert LABELS.indices("i j k") == LABELS.indices("i, j, k")
    assert [index.name for index in LABELS.indices("i j")] == ["i", "j"]


def test_an_index_survives_pickling_with_its_axis():
    i = LABELS.index("i")
    copy = pickle.loads(pickle.dumps(i))
    assert copy == i
    assert copy.axis == LABELS


def test_a_fresh_index_has_a_name_that_nothing_taken_has():
    taken: list[Symbol] = []
    for _ in range(60):  # more than the alphabet
        fresh = LABELS.fresh(taken)
        assert isinstance(fresh, Index)
        assert fresh.name not in {symbol.name for symbol in taken}
        taken.append(fresh)


def test_a_fresh_index_avoids_names_of_other_axes_too():
    taken = [SAMPLES.index(letter) for letter in "ijkl"]
    assert LABELS.fresh(taken).name not in "ijkl"


def test_a_sum_over_the_wrong_axis_says_which_axis_is_which():
    i = LABELS.index("i")
    with pytest.raises(ValueError, match=r"index i .*'labels'.*'samples'.*samples\.index"):
        SAMPLES.sum(array("s")[i], i)
    with pytest.raises(ValueError, match="'labels'"):
        SAMPLES.product(array("s")[i], i)


def test_total_runs_over_the_axis_of_its_index():
    i = LABELS.index("i")
    assert total(S.One, i) == LABELS.sum(S.One, i)
    assert LABELS.limits(i) == (i, 0, LABELS.size - 1)


def test_entries_of_an_array_are_real_and_take_further_assumptions():
    i = LABELS.index("i")
    assert array("s")[i].is_real
    assert array("s")[i].is_positive is None
    assert array("q", positive=True)[i].is_positive


def test_equal_indices_are_one_object():
    assert LABELS.index("i") is labels_axis().index("i")


def test_a_sum_answers_as_sympy_does():
    """Length, free symbols, signs, print and nesting: what is left out is work, not knowledge."""
    i, j, a = LABELS.index("i"), LABELS.index("j"), SAMPLES.index("a")
    s, t = array("s"), array("t", positive=True)
    for summand, outer in ((t[i] * exp(s[j]), j), (s[i], i), (S.Zero, i), (t[a] * s[i], a)):
        inner = total(summand, i)
        ours, theirs = total(inner, outer) if outer != i else inner, sympy.Sum(summand, _limits(i))
        theirs = sympy.Sum(theirs, _limits(outer)) if outer != i else theirs
        assert srepr(ours) == srepr(theirs) and latex(ours) == latex(theirs)
        for question in QUESTIONS:
            assert getattr(ours, question) == getattr(theirs, question), question
        assert ours.xreplace({s: t}) == ours.func(*(x.xreplace({s: t}) for x in ours.args))
        assert ours.sort_key() == theirs.sort_key()


QUESTIONS = (
    "args",
    "free_symbols",
    "is_number",
    "is_commutative",
    "is_positive",
    "is_zero",
    "is_real",
    "has_empty_sequence",
    "has_finite_limits",
    "has_reversed_limits",
)


def _limits(index: Index) -> Tuple:
    return Tuple(*index.axis.limits(index))
