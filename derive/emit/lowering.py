"""From a stable expression to a :class:`~derive.emit.program.Program`, node by node.

A node is lowered at the first indices of its axes, whichever indices it has: that is what makes
``exp(-s_i)`` and ``exp(-s_j)`` one array, and ``s_ij - s_ik`` the transpose of ``s_ik - s_ij``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import TypeAlias

from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    KroneckerDelta,
    Mul,
    Number,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    exp,
    log,
    tanh,
)

from derive.axis import Index
from derive.calculus import free_indices, opened, renamed, replace_index
from derive.coefficients import Coefficient
from derive.emit.forms import Form, forms_of
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.program import Op, Program
from derive.emit.recursions import loop_name
from derive.emit.terms import by_index, is_curved, order_in_sum, without_empty
from derive.nodes import (
    ArgLargest,
    Largest,
    Shift,
    difference,
    expm1,
    finite,
    gated,
    larger,
    log1p,
    off_top,
    quotient,
    settled,
    sigmoid,
    softplus,
    weighted_exp,
)
from derive.ramps import leads, ramp, step
from derive.recursion import OfElements, elements_of, subset_mean
from derive.reduction import assign_axes, assign_together, left_out

# Functions that every array namespace has under the same name.
ELEMENTWISE = {log: "log", log1p: "log1p", expm1: "expm1", Abs: "abs", tanh: "tanh"}
# An expression, and for each of its free indices the one that it stands for.
Renamed: TypeAlias = tuple[Expr, dict[Index, Index]]
REDUCTIONS = {Sum: "sum", Product: "prod", ArgLargest: "argmax", Largest: "max"}


@dataclass
class Lowering(Program):
    """A program, and what of the expression is in it already."""

    known: dict[Expr, int] = field(default_factory=dict)
    homes: dict[Expr, Renamed] = field(default_factory=dict)
    one_exponential: bool = False

    def lower(self, expression: Expr) -> int:
        """The number of the operation that has the value of the expression."""
        home, names = self._at_home(expression)
        if home not in self.known:
            self.known[home] = self._lower(home)
        return self.rename(self.known[home], names)

    def _at_home(self, expression: Expr) -> tuple[Expr, dict[Index, Index]]:
        """The expression at the first indices of each axis, and the names that they have in it.

        Where two indices of an axis occur, there are two such expressions, and the array of one is
        that of the other with its axes in another order: the one that is known already is taken.
        """
        if expression not in self.homes:
            candidates = [self._renamed(expression, names) for names in self._namings(expression)]
            known = (pair for pair in candidates if pair[0] in self.known)
            self.homes[expression] = next(known, candidates[0])
        return self.homes[expression]

    def _renamed(self, expression: Expr, names: dict[Index, Index]) -> Renamed:
        """The expression under other names, bound indices named by rule; the way back."""
        used = [index for index in self.order if index in free_indices(expression)]
        home, _ = assign_axes(
            renamed(expression, names), tuple(names[index] for index in used), self.order
        )
        return home, {names[index]: index for index in used}

    def _namings(self, expression: Expr) -> Iterator[dict[Index, Index]]:
        """Permutations of all indices that bring the free ones to the front of their axes."""
        free = free_indices(expression)
        axes = list(dict.fromkeys(index.axis for index in self.order))
        own = [[index for index in self.order if index.axis == axis] for axis in axes]
        first = [[index for index in indices if index in free] for indices in own]
        rest = [[index for index in indices if index not in free] for indices in own]
        for orders in product(*map(permutations, first)):
            yield {
                old: new
                for indices, order, others in zip(own, orders, rest, strict=True)
                for old, new in zip([*order, *others], indices, strict=True)
            }

    def _home(self, index: Index) -> Index:
        """The first index of the axis, in the order of the array axes."""
        return next(other for other in self.order if other.axis == index.axis)

    def _lower(self, node: Expr) -> int:
        if isinstance(node, Add):
            return self._lower_sum(node)
        if isinstance(node, Mul):
            return self._lower_product(node)
        if isinstance(node, Pow):
            return self._lower_power(node.base, node.exp)
        if isinstance(node, Number):
            return self._lower_number(node)
        if isinstance(node, Symbol):
            return self._lower_symbol(node)
        if isinstance(node, Indexed):
            return self._lower_entry(node)
        if isinstance(node, KroneckerDelta):
            return self._lower_delta(node)
        if isinstance(node, tuple(REDUCTIONS)):
            return self._lower_reduction(node)
        if isinstance(node, exp):
            return self._lower_exp(node.args[0])
        if type(node) in ELEMENTWISE:
            return self.apply(ELEMENTWISE[type(node)], self.lower(node.args[0]))
        return self._lower_node(node)

    def _lower_number(self, node: Number) -> int:
        if not isinstance(node, Rational):
            raise UnsupportedNode(node, self.target)
        if node.q == 1:
            return self.number(node)
        return self.apply("div", self.number(S(node.p)), self.number(S(node.q)))

    def _lower_symbol(self, node: Symbol) -> int:
        axes = {axis.size: place for axis, place in self.formula.sizes().items()}
        if node in axes:
            return self.add(Op("size", data=axes[node]))
        if isinstance(node, Index):
            raise UnsupportedNode(node, self.target)
        return self.add(Op("scalar", data=str(node)))

    def _lower_entry(self, node: Indexed) -> int:
        wanted = tuple(index for index in self.order if index in node.indices)
        if len(wanted) != len(node.indices):
            raise UnsupportedNode(node, self.target)
        places = tuple(node.indices.index(index) for index in wanted)
        return self.add(Op("array", (), (str(node.base), places), wanted))

    def _lower_delta(self, node: KroneckerDelta) -> int:
        frame = tuple(index for index in self.order if index in node.args)
        if len(frame) != 2 or frame[0].axis != frame[1].axis:
            raise UnsupportedNode(node, self.target)
        return self.add(Op("eye", (), self.place(frame[0].axis), frame))

    def _lower_reduction(self, node: Expr) -> int:
        index, inside = opened(node)
        others = self._lower_others(inside, index) if isinstance(node, Sum) else None
        if others is not None:
            return others
        body = self.lower(inside)
        frame = self.frame(body)
        if frame is None or index not in frame:
            raise UnsupportedNode(node, self.target)
        place = frame.index(index) - len(frame)
        rest = tuple(other for other in frame if other != index)
        kind = next(kind for node_type, kind in REDUCTIONS.items() if isinstance(node, node_type))
        return self.add(Op(kind, (body,), (place, not rest), rest))

    def _lower_others(self, body: Expr, index: Index) -> int | None:
        """``sum_{k != j} f_k`` for every j at once, if f has no index j: it then has one for k."""
        gates = left_out(body, index)
        rest = body / Mul(*gates)
        others = free_indices(Mul(*gates)) - {index}
        if len(gates) != 1 or others & free_indices(rest) or index not in free_indices(rest):
            return None
        (other,) = others
        number = self.lower(renamed(rest, {index: other, other: index}))
        frame = self.frame(number)
        if frame is None or frame[-1] != other:
            return None
        return self.add(Op("loop", (number,), "sum_of_others", frame))

    def _lower_node(self, node: Expr) -> int:
        arguments = node.args
        if isinstance(node, settled):
            return self.lower(arguments[0])
        if isinstance(node, Shift):
            definition = node.definition
            return self.lower(definition.args[0] if isinstance(definition, finite) else definition)
        if isinstance(node, quotient):
            return self.apply("div", *map(self.lower, arguments))
        if isinstance(node, difference):
            return self.combine("add", list(map(self.lower, arguments)), [1, -1])
        if isinstance(node, weighted_exp):
            return self._lower_weighted_exp(*arguments)
        if isinstance(node, gated):
            return self.apply("gate", self.lower(arguments[1]), self.lower(arguments[0]))
        if isinstance(node, finite):
            return self.apply("finite", self.lower(arguments[0]))
        if isinstance(node, larger):
            return self._lower_larger(*arguments)
        if isinstance(node, ramp):
            return self._lower_larger(node.args[0], S.Zero)
        if isinstance(node, step):
            return self.apply("one_or", self.lower(node.args[0]), self._zero(), data=">")
        if isinstance(node, leads):
            return self._lower_leads(*node.args)
        if isinstance(node, softplus):
            return self._lower_softplus(arguments[0])
        if isinstance(node, sigmoid):
            return self._lower_sigmoid(arguments[0])
        if isinstance(node, off_top):
            return self._lower_off_top(*arguments)
        if isinstance(node, OfElements | Coefficient):
            return self._lower_coefficient(node)
        raise UnsupportedNode(node, self.target)

    # --- sums and products ---

    def _lower_sum(self, node: Add) -> int:
        terms = sorted(by_index(node), key=order_in_sum)
        if sum(not is_curved(term) for term in terms) < 2:
            terms.sort(key=lambda term: bool(term.could_extract_minus_sign()))
        signs = [-1 if term.could_extract_minus_sign() else 1 for term in terms]
        numbers = [self.lower(sign * term) for sign, term in zip(signs, terms, strict=True)]
        return self.combine("add", numbers, signs)

    def _lower_product(self, node: Mul) -> int:
        if node.could_extract_minus_sign():
            return self.apply("neg", self.lower(-node))
        above, below = [], []
        for factor in node.args:
            if isinstance(factor, Rational):
                above += [self.number(S(factor.p))] if factor.p != 1 else []
                below += [self.number(S(factor.q))] if factor.q != 1 else []
            elif self._is_below(factor):
                below.append(self.lower(1 / factor))
            else:
                above.append(self.lower(factor))
        product = self.combine("mul", above) if above else self.number(S.One)
        return self.apply("div", product, self.combine("mul", below)) if below else product

    def _is_below(self, factor: Expr) -> bool:
        """Whether its reciprocal is what is lowered: ``w e^{-x} = w / e^x`` rounds once."""
        powers = (Pow, exp) if self.one_exponential else Pow
        return isinstance(factor, powers) and bool(factor.exp.could_extract_minus_sign())

    def _lower_power(self, base: Expr, exponent: Expr) -> int:
        if exponent.could_extract_minus_sign():
            return self.apply("div", self.number(S.One), self.lower(base**-exponent))
        if exponent == S.Half:
            return self.apply("sqrt", self.lower(base))
        return self.apply("pow", self.lower(base), self.lower(exponent))

    # --- nodes of the stable form ---

    def _lower_exp(self, exponent: Expr) -> int:
        if self.one_exponential and exponent.could_extract_minus_sign():
            return self.apply("div", self.number(S.One), self.lower(exp(-exponent)))
        return self.apply("exp", self._lower_exponent(exponent))

    def _lower_weighted_exp(self, weight: Expr, exponent: Expr) -> int:
        shifted = self._lower_exponent(exponent, weight)
        return self.apply("mul", self.lower(weight), self.apply("exp", shifted), data=(1, 1))

    def _lower_exponent(self, exponent: Expr, weight: Expr | None = None) -> int:
        """The entries with their own scale, then less the shifts: ``(m_i - s_ij) - l_j``.

        ``m_i - l_j`` would be rounded where both are large and the exponent is not. Without a
        weight the entries are behind no gate.
        """
        terms = Add.make_args(exponent)
        down = [term for term in terms if term.has(Shift) and term.could_extract_minus_sign()]
        if weight is None and not any(term.has(Shift) for term in terms if term not in down):
            return self.lower(exponent)
        shifts = Add(*down)
        entries = self.lower(exponent - shifts)
        number = entries if weight is None else self.apply("gate", self.lower(weight), entries)
        if shifts == 0:
            return number
        # A maximum over no entry is -inf: right as a scale (e^-inf = 0), but -inf - (-inf) is nan,
        # so it is 0 where it is subtracted from entries.
        below = Add(*map(without_empty, down))
        return self.combine("add", [number, self.lower(below)], [1, -1])

    def _lower_larger(self, left: Expr, right: Expr) -> int:
        for one, other in ((left, right), (right, left)):
            if one == 0:
                return self.apply("clip", self.lower(other))
        return self.apply("maximum", self.lower(left), self.lower(right))

    def _decay(self, x: Expr) -> int:
        """``e^{-|x|}``, the same for x and -x."""
        size = -x if x.could_extract_minus_sign() else x
        return self.apply("exp", self.apply("neg", self.apply("abs", self.lower(size))))

    def _lower_softplus(self, x: Expr) -> int:
        rest = self.apply("log1p", self._decay(x))
        return self.combine("add", [self.apply("clip", self.lower(x)), rest])

    def _lower_sigmoid(self, x: Expr) -> int:
        decay, negative = self._decay(x), x.could_extract_minus_sign()
        argument = self.lower(-x if negative else x)
        above = self.apply("one_or", argument, decay, data="<=" if negative else ">=")
        return self.apply("div", above, self.apply("add", self.number(S.One), decay, data=(1, 1)))

    def _lower_off_top(self, value: Expr, index: Index, top: ArgLargest) -> int:
        positions = self.add(Op("arange", (), self.place(index.axis), (index,)))
        return self.apply("off_top", positions, self.lower(top), self.lower(value))

    def _zero(self) -> int:
        """0 in the dtype of the arrays: a choice between two plain numbers would have none."""
        like = str(self.formula.arrays[0])
        return self.add(Op("as_array", (self.number(S.Zero),), (like, 0)))

    def _lower_leads(self, largest: Largest, index: Index) -> int:
        """Whether the index is that of the first largest entry."""
        positions = self.add(Op("arange", (), self.place(index.axis), (index,)))
        top = self.lower(ArgLargest(*largest.args))
        return self.apply("at_top", positions, top, self._zero())

    # --- coefficients by elements ---

    def _lower_coefficient(self, node: OfElements | Coefficient) -> int:
        """A call of a loop of :mod:`derive.emit.recursions`, on arrays ``(*batch, n)``."""
        series, z, order = node.args[-3:]
        elements, in_logs = elements_of(series, z), isinstance(node, OfElements)
        kind = type(node).__name__ if in_logs else "coefficient"
        name = loop_name(kind, len(elements.left_out)) if elements is not None else None
        if elements is None or name is None:
            raise UnsupportedNode(node, self.target)
        weight = self._row(elements.weight, elements.index, node)
        operands = [self._log_weight(weight) if in_logs else self.lower(weight)]
        if isinstance(node, subset_mean):
            index, direction = opened(node.args[0])
            operands.append(self.lower(self._row(direction, index, node)))
        operands.append(self.lower(order))
        if elements.ratio is not None:
            operands.append(self.lower(log(elements.ratio) if in_logs else elements.ratio))
        frame = tuple(index for index in self.order if index in elements.left_out)
        return self.add(Op("loop", tuple(operands), name, frame))

    def _row(self, entry: Expr, index: Index, node: Expr) -> Expr:
        """An entry for each element, at the first index of the axis."""
        if free_indices(entry) != {index}:
            raise UnsupportedNode(node, self.target)
        return replace_index(entry, index, self._home(index))

    def _log_weight(self, weight: Expr) -> int:
        """``x + log w`` for the weight ``w e^x``, and -inf where w is 0."""
        factors = Mul.make_args(weight)
        exponent = Add(*(factor.args[0] for factor in factors if isinstance(factor, exp)))
        weight = Mul(*(factor for factor in factors if not isinstance(factor, exp)))
        if weight == 1:
            return self.lower(exponent)
        numbers = (self.lower(weight), self.lower(exponent))
        return self.add(Op("loop", numbers, "log_weights", self.union(numbers)))


def program(formula: Formula, target: str) -> Program:
    """The stable forms of the results as array operations, each distinct one once for all."""
    return lowered(formula, target, forms_of(formula))


def lowered(
    formula: Formula, target: str, forms: Sequence[Form], one_exponential: bool = False
) -> Lowering:
    """The forms as array operations; with ``one_exponential`` that of ``-x`` as ``1 / e^x``."""
    assigned, order = assign_together(forms)
    sizes, count = formula.sizes(), len(formula.indices)
    extra = sorted(order[count:], key=lambda index: sizes[index.axis][1])
    work = Lowering(formula, target, (*order[:count], *extra), one_exponential=one_exponential)
    for expression, result in zip(assigned, formula.results, strict=True):
        work.conclude(work.lower(expression), result)
    return work
