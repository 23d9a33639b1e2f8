"""The ways in which a statement is decided; each finds its verdict out anew whenever it is weighed.

:class:`Decided` and :class:`Derived` alone can prove, and then for every length.
:class:`Witnessed` encloses numbers at stated inputs. :class:`Contrary` refutes by what contradicts
the statement, :class:`Unsupported` by what contradicts its reason. :class:`IllPosed` and
:class:`Empirical` say why nothing can be decided; :class:`Tried` runs the experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from flint import ctx

from derive.decide import Decision, Proved, Refuted
from derive.derivation import Derivation, Step
from verify.derived import derivation_of
from verify.ledger.balls import BITS, Enclosure
from verify.ledger.entry import TRUE, Evidence, Finding, Verdict, weakest
from verify.ledger.smallest import smallest
from verify.ledger.statement import Statement, of_step
from verify.mutation import Trial

__all__ = ["All", "Contrary", "Decided", "Derived", "Empirical", "IllPosed"]
__all__ += ["OF_FLOATS", "OF_NUMBERS", "Outcome", "Tried", "Unsupported", "Witnessed", "in_floats"]


#: Subjects and topics as ``lossproof derive`` has them.
Topics = tuple[tuple[str, str], ...]


def _derivations(parts: Iterable[Evidence]) -> Topics:
    return tuple(dict.fromkeys(chain.from_iterable(part.derivations for part in parts)))


class Decided:
    """Statements in symbols, each decided for every length."""

    def __init__(self, *statements: Statement) -> None:
        """One statement, or several that are all to hold."""
        self.statements = statements

    derivations: Topics = ()

    def weigh(self, most: int | None) -> Finding:
        """Proved where every statement is; refuted where one is, at the smallest point found."""
        decisions = [(statement, statement.decide()) for statement in self.statements]
        verdict = weakest([_verdict(decision) for _, decision in decisions])
        lines = tuple(f"{s.describe()}: {_told(decision)}" for s, decision in decisions)
        refuted = ((s, d.counterexample) for s, d in decisions if isinstance(d, Refuted))
        against = next((smallest(s, found).describe() for s, found in refuted), "")
        trials = _trials(self.statements, most) if verdict in TRUE else ()
        return Finding(verdict, lines, against, trials)


def _verdict(decision: Decision) -> Verdict:
    if isinstance(decision, Proved):
        return Verdict.PROVED
    return Verdict.REFUTED if isinstance(decision, Refuted) else Verdict.UNDECIDED


def _told(decision: Decision) -> str:
    return "refuted" if isinstance(decision, Refuted) else str(decision)


def _trials(statements: Iterable[Statement], most: int | None) -> tuple[Trial, ...]:
    return tuple(
        Trial.of("", statement.describe(), change, mutant.decide())
        for statement in statements
        for change, mutant in _spread(list(statement.mutants()), most)
    )


def _spread(found: list[tuple[str, Statement]], most: int | None) -> list[tuple[str, Statement]]:
    """At most ``most`` of them, evenly spaced."""
    if most is None or len(found) <= most:
        return found
    return [found[position * len(found) // most] for position in range(most)]


class Derived:
    """A derivation all of whose steps are proved; the statement is that of the named steps."""

    def __init__(self, subject: str, topic: str, *rules: str) -> None:
        """The subject and the topic as ``lossproof derive`` has them, the steps by their rules."""
        self.subject, self.topic, self.rules = subject, topic, rules

    @property
    def derivations(self) -> Topics:
        """Its own."""
        return ((self.subject, self.topic),)

    def weigh(self, most: int | None) -> Finding:
        """Proved where every step of the derivation is and each named step is among them."""
        derivation = derivation_of(self.subject, self.topic)
        missing = [rule for rule in self.rules if not self._steps(derivation, rule)]
        if missing or not self.rules:
            told = f"{derivation.id} has no step {', '.join(missing) or 'named'}"
            return Finding(Verdict.UNDECIDED, (told,))
        statements = [
            of_step(step) for rule in self.rules for step in self._steps(derivation, rule)
        ]
        open_steps = [step for step in derivation.steps if not step.holds]
        lines = [f"{derivation.id}: {len(derivation.steps)} steps, {len(open_steps)} not proved"]
        lines += [f"{step.rule}: {step.decision}" for step in open_steps]
        lines += [f"{rule}: {s.describe()}" for rule, s in self._named(derivation)]
        verdict = Verdict.PROVED if derivation.holds else Verdict.UNDECIDED
        return Finding(verdict, tuple(lines), trials=_trials(statements, most))

    def _steps(self, derivation: Derivation, rule: str) -> list[Step]:
        return [step for step in derivation.steps if step.rule == rule]

    def _named(self, derivation: Derivation) -> list[tuple[str, Statement]]:
        pairs = ((rule, step) for rule in self.rules for step in self._steps(derivation, rule))
        return [(rule, of_step(step)) for rule, step in pairs]


# Why a statement is decided at its inputs and not for every length.
OF_NUMBERS = "for these numbers: it is they that the statement is about"
OF_FLOATS = "at these inputs: it is about floats, whose rounding has no formula in n"


class Witnessed:
    """Numbers in balls at stated inputs: an inequality is decided there, an equality confirmed."""

    def __init__(self, example: Callable[[], list[Enclosure]], bound: str = OF_NUMBERS) -> None:
        """The numbers are computed when weighed; ``bound`` says why no more can be decided."""
        self.example, self.bound = example, bound

    derivations: Topics = ()

    def weigh(self, most: int | None) -> Finding:
        """``proved-for`` these inputs, ``confirmed`` to some digits, or refuted by them."""
        with ctx.workprec(BITS):
            found = self.example()
            verdict = weakest([self._verdict(enclosure) for enclosure in found])
            lines = tuple(enclosure.describe() for enclosure in found)
            against = next((e.describe() for e in found if e.fails), "")
            trials = tuple(_trial_of(e, *mutant) for e in found for mutant in e.mutants())
        return Finding(verdict, lines, against, trials if verdict in TRUE else (), (self.bound,))

    @staticmethod
    def _verdict(enclosure: Enclosure) -> Verdict:
        if enclosure.fails:
            return Verdict.REFUTED
        if not enclosure.holds:
            return Verdict.UNDECIDED
        return Verdict.CONFIRMED if enclosure.relation == "=" else Verdict.PROVED_FOR


def in_floats(example: Callable[[], list[Enclosure]]) -> Witnessed:
    """Of code that was run in floats, or of their range."""
    return Witnessed(example, OF_FLOATS)


def _trial_of(enclosure: Enclosure, change: str, mutant: Enclosure) -> Trial:
    return Trial("", enclosure.where, change, mutant.describe(), mutant.fails, mutant.holds)


class All:
    """Several kinds of evidence, all of which the statement needs."""

    def __init__(self, *parts: Evidence) -> None:
        """The verdict is the weakest of theirs."""
        self.parts = parts

    @property
    def derivations(self) -> Topics:
        """Those of all parts."""
        return _derivations(self.parts)

    def weigh(self, most: int | None) -> Finding:
        """The findings put together."""
        found = [part.weigh(most) for part in self.parts]
        return Finding(
            weakest([finding.verdict for finding in found]),
            tuple(chain.from_iterable(finding.lines for finding in found)),
            next((f.counterexample for f in found if f.counterexample), ""),
            tuple(chain.from_iterable(finding.trials for finding in found)),
            tuple(dict.fromkeys(chain.from_iterable(finding.bounds for finding in found))),
        )


class Contrary:
    """What is shown contradicts the statement: refuted exactly where it holds."""

    def __init__(self, why: str, example: Witnessed, *shown: Evidence) -> None:
        """``why`` says how it contradicts; the example has numbers, ``shown`` all else."""
        self.why, self.example, self.shown = why, example, shown

    @property
    def derivations(self) -> Topics:
        """Those of what is shown."""
        return _derivations(self.shown)

    def weigh(self, most: int | None) -> Finding:
        """Refuted where the contrary and its example hold, undecided where either does not."""
        numbers = self.example.weigh(0).lines
        found = All(*self.shown, self.example).weigh(0)
        lines = (self.why, *found.lines)
        if found.verdict not in TRUE:
            return Finding(Verdict.UNDECIDED, lines)
        return Finding(Verdict.REFUTED, lines, "; ".join(numbers))


class Unsupported:
    """The conclusion holds, the reason given for it does not."""

    def __init__(self, conclusion: Evidence, reason: Evidence) -> None:
        """Both are weighed as statements of their own."""
        self.conclusion, self.reason = conclusion, reason

    @property
    def derivations(self) -> Topics:
        """Those of both."""
        return _derivations((self.conclusion, self.reason))

    def weigh(self, most: int | None) -> Finding:
        """Unsupported where the conclusion holds and the reason is refuted."""
        concluded, reasoned = self.conclusion.weigh(most), self.reason.weigh(most)
        if concluded.verdict not in TRUE:
            return concluded
        verdict = Verdict.UNSUPPORTED if reasoned.verdict is Verdict.REFUTED else reasoned.verdict
        lines = [f"conclusion ({concluded.verdict}): {line}" for line in concluded.lines]
        lines += [f"reason ({reasoned.verdict}): {line}" for line in reasoned.lines]
        return Finding(verdict, tuple(lines), reasoned.counterexample, concluded.trials)


@dataclass(frozen=True)
class IllPosed:
    """A symbol or an index has no meaning: which one, and what is meant instead."""

    symbol: str
    why: str
    derivations: Topics = ()

    def weigh(self, most: int | None) -> Finding:
        """There is nothing to decide."""
        return Finding(Verdict.ILL_POSED, (f"{self.symbol}: {self.why}",))


@dataclass(frozen=True)
class Empirical:
    """No mathematics decides it: which experiment would."""

    experiment: str
    derivations: Topics = ()

    def weigh(self, most: int | None) -> Finding:
        """There is nothing to decide here."""
        return Finding(Verdict.EMPIRICAL, (f"would be decided by: {self.experiment}",))


@dataclass(frozen=True)
class Outcome:
    """Of an experiment that was run: whether it speaks for the statement, and its figures."""

    supports: bool
    figures: str


class Tried:
    """An experiment with a fixed seed: a statement about data stays one, and this is its figure."""

    def __init__(self, experiment: str, run: Callable[[], Outcome]) -> None:
        """What is done, in words, and the function that does it."""
        self.experiment, self.run = experiment, run

    derivations: Topics = ()

    def weigh(self, most: int | None) -> Finding:
        """``empirical`` where the outcome speaks for the statement, refuted where against."""
        outcome = self.run()
        verdict = Verdict.EMPIRICAL if outcome.supports else Verdict.REFUTED
        against = "" if outcome.supports else outcome.figures
        return Finding(verdict, (f"{self.experiment}: {outcome.figures}",), against)
