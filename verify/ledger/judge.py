"""The ledger judged: each entry's evidence is weighed and held against the recorded verdict.

An entry stands where the computed verdict is the recorded one and, if the statement is true, at
least `DEMANDED_MUTANTS` changes of it were tried and each was refuted or proved to be true as well.
Judgements are independent of one another, so that they run in any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from time import perf_counter
from typing import Any

from joblib import Parallel, delayed

from verify.ledger import entry_named, module_of
from verify.ledger.cache import Cache
from verify.ledger.entry import DEMANDED_MUTANTS, TRUE, Entry, Finding, Verdict
from verify.ledger.sources import digest_of
from verify.mutation import Trial

__all__ = ["Judgement", "judge", "judge_all"]

# Mutants tried of each formula in the short run; the long run and the tests try all of them.
MUTANTS_A_FORMULA = 8

Progress = Callable[["Judgement"], object]


@dataclass(frozen=True)
class Judgement:
    """What came of one entry: the recorded verdict and the computed one, as plain data."""

    id: str
    recorded: Verdict
    computed: Verdict
    lines: tuple[str, ...]
    counterexample: str
    trials: tuple[Trial, ...]
    seconds: float
    failure: str = ""
    from_cache: bool = False

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        return self.id

    @property
    def refuted(self) -> int:
        """Mutants that were refuted."""
        return sum(trial.caught for trial in self.trials)

    @property
    def still_true(self) -> int:
        """Mutants that are true as well."""
        return sum(trial.still_true for trial in self.trials)

    @property
    def escaped(self) -> tuple[Trial, ...]:
        """Mutants that were neither."""
        return tuple(trial for trial in self.trials if not (trial.caught or trial.still_true))

    @property
    def problems(self) -> list[str]:
        """One line for everything that keeps the entry from standing."""
        if self.failure:
            return [f"{self.id}: {self.failure}"]
        found = []
        if self.computed is not self.recorded:
            found.append(f"{self.id}: recorded {self.recorded}, computed {self.computed}")
        if self.computed in TRUE and len(self.trials) < DEMANDED_MUTANTS:
            tried = len(self.trials)
            found.append(f"{self.id}: {tried} mutants were tried, {DEMANDED_MUTANTS} are demanded")
        if self.computed in TRUE and not self.refuted:
            found.append(f"{self.id}: no mutant was refuted")
        return found + [f"{self.id}: mutant {t.change!r} is {t.evidence}" for t in self.escaped]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {**asdict(self), "recorded": str(self.recorded), "computed": str(self.computed)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Judgement:
        """The inverse of `as_dict`, marked as kept."""
        lists = {"lines": tuple(data["lines"]), "trials": tuple(Trial(**t) for t in data["trials"])}
        verdicts = {name: Verdict(data[name]) for name in ("recorded", "computed")}
        return cls(**{**data, **lists, **verdicts, "from_cache": True})


def judge(entry: Entry, most: int | None = MUTANTS_A_FORMULA) -> Judgement:
    """Weigh the evidence of one entry now; what breaks on the way is a failure of this entry."""
    start = perf_counter()
    failure = ""
    try:
        found = entry.evidence.weigh(most)
    except Exception as error:  # any: a broken proof must turn one entry red, not end the run
        found = Finding(Verdict.UNDECIDED, ())
        failure = f"broke with {type(error).__name__}: {error}"
    trials = tuple(replace(trial, derivation=entry.id) for trial in found.trials)
    lines, seconds = found.lines, perf_counter() - start
    parts = (found.verdict, lines, found.counterexample, trials, seconds, failure)
    return Judgement(entry.id, entry.verdict, *parts)


def key_of(entry: Entry, most: int | None) -> str:
    """What the judgement depends on: the entry, the mutants, all sources that its file reaches."""
    words = (entry.id, str(entry.verdict), str(most), digest_of(module_of(entry.id)))
    return sha256("\n".join(words).encode()).hexdigest()


def judge_all(
    ids: Sequence[str],
    jobs: int = 1,
    thorough: bool = False,
    fresh: bool = False,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> list[Judgement]:
    """Judge the entries in the order of their ids; what is kept and has not changed is taken.

    ``progress`` hears of each judgement. Each is kept when it is made, whatever comes after.
    """
    store, most = cache or Cache(), None if thorough else MUTANTS_A_FORMULA
    keys = {name: key_of(entry_named(name), most) for name in ids}
    done: dict[str, Judgement] = {}
    for name in () if fresh else ids:
        kept = store.get(name, keys[name])
        if kept is not None:
            done[name] = Judgement.from_dict(kept)
    for judgement in done.values():
        _tell(progress, judgement)
    for judgement in _judged([name for name in ids if name not in done], jobs, most):
        done[judgement.id] = judgement
        store.put(judgement.id, keys[judgement.id], judgement.as_dict())
        _tell(progress, judgement)
    return [done[name] for name in ids]


def _tell(progress: Progress | None, judgement: Judgement) -> None:
    if progress is not None:
        progress(judgement)


def _judged(names: Sequence[str], jobs: int, most: int | None) -> Iterator[Judgement]:
    if jobs == 1 or len(names) < 2:
        yield from (judge(entry_named(name), most) for name in names)
        return
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    found: Iterable[Judgement] = parallel(delayed(_judge_named)(name, most) for name in names)
    yield from found


def _judge_named(name: str, most: int | None) -> Judgement:
    return judge(entry_named(name), most)
