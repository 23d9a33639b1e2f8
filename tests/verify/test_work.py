"""What is kept: exactly what was found, under all that it depends on, and never in place of it."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from derive.losses import LOSSES, SUBJECTS
from verify import sources, subset, tasks
from verify.cache import Cache
from verify.formats import format_of
from verify.ledger import ENTRIES, judge
from verify.ledger.judge import Weighing
from verify.mutation import Trial
from verify.plain import NotPlain, as_plain, from_plain
from verify.run import Task, plan, run_task, verify
from verify.sources import digest_of, reached_from
from verify.tasks import REGISTRIES, modules_of
from verify.work import carry_out

ROOT = Path(tasks.__file__).parents[1]
GRADIENT, OPTIMUM = Task("soft_zlpr", "gradient"), Task("soft_zlpr", "optimum")


@dataclass(frozen=True)
class Square:
    """Work that says when it is done."""

    number: int
    done: tuple[list[int], ...] = ([],)

    title, file = "square", property(lambda self: f"squares/{self.number}")

    def __hash__(self) -> int:
        return hash(self.number)

    def key(self) -> str:
        return f"the square of {self.number}"

    def do(self) -> int:
        self.done[0].append(self.number)
        return self.number**2


# Plain data --------------------------------------------------------------------------------------


def returned(value: object) -> object:
    return from_plain(json.loads(json.dumps(as_plain(value), allow_nan=False)))


@pytest.mark.parametrize(
    "value",
    [
        0.1 + 0.2,
        5e-324,
        -0.0,
        math.inf,
        -math.inf,
        ("a", ("b", 1), [None, True]),
        {("a", "b"): 1.5, 1e-14: (math.inf,)},
        Counter({"x": 3}),
        Trial("a", "b", "c", "d", True, False),
        next(iter(ENTRIES.values())).verdict,
    ],
)
def test_what_is_kept_is_what_was_found(value: object) -> None:
    found = returned(value)
    assert found == value and type(found) is type(value)
    assert repr(found) == repr(value)  # -0.0 is 0.0


def test_nan_and_numpy_floats_are_floats() -> None:
    assert math.isnan(returned(math.nan))
    assert type(returned(np.float64(0.1))) is float


@pytest.mark.parametrize("value", [object(), {1, 2}, np.int64(3), Trial])
def test_what_would_not_return_is_refused(value: object) -> None:
    with pytest.raises(NotPlain):
        as_plain(value)


@pytest.mark.parametrize("kind", ["os:system", "builtins:eval", "verify.plain:as_plain", "x"])
def test_a_file_makes_nothing_but_data_of_the_project(kind: str) -> None:
    with pytest.raises(NotPlain):
        from_plain({kind: {"command": "true"}})


@pytest.mark.parametrize("task", [GRADIENT, Task("solutions"), Task("subset")], ids=str)
def test_outcomes_return_whole(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [case for case in subset.cases(format_of("float64")) if case.name == "all-3.7"]
    monkeypatch.setattr(subset, "cases", lambda form, long: few)
    monkeypatch.setattr(subset, "DRAWS", {"quick": 200})
    outcome = run_task(task)
    found = returned(outcome)
    assert found == outcome
    assert found.as_dict() == outcome.as_dict()


def test_a_comparison_returns_whole() -> None:
    outcome = run_task(Task("softmax_cross_entropy"))
    assert returned(outcome).as_dict() == outcome.as_dict()
    assert returned(outcome).table == outcome.table
    assert not returned(outcome).problems


# The cache ---------------------------------------------------------------------------------------


def test_what_has_not_changed_is_taken(tmp_path: Path) -> None:
    done: list[int] = []
    works = [Square(number, (done,)) for number in (1, 2, 3)]
    first = list(carry_out(works, cache=Cache(tmp_path)))
    second = list(carry_out(works, cache=Cache(tmp_path)))
    assert [one.result for one in first] == [one.result for one in second] == [1, 4, 9]
    assert [one.kept for one in first + second] == [False] * 3 + [True] * 3
    assert done == [1, 2, 3]


def test_fresh_takes_nothing_and_keeps_all(tmp_path: Path) -> None:
    done: list[int] = []
    works, cache = [Square(2, (done,))], Cache(tmp_path)
    for _ in range(2):
        (one,) = carry_out(works, cache=cache, fresh=True)
        assert not one.kept
    (one,) = carry_out(works, cache=cache)
    assert one.kept and done == [2, 2]


def test_without_a_cache_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path))
    assert not any(one.kept for _ in range(2) for one in carry_out([Square(2)]))
    assert not list(tmp_path.iterdir())


def test_another_key_is_another_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(carry_out([Square(2)], cache=Cache(tmp_path)))
    monkeypatch.setattr(Square, "key", lambda self: "of other sources")
    (one,) = carry_out([Square(2)], cache=Cache(tmp_path))
    assert not one.kept


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"key": "the square of 2"}', '{"key": "the square of 2", "value": {"a": 1}}'],
)
def test_a_file_that_cannot_be_read_is_found_again(text: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    list(carry_out([Square(2)], cache=cache))
    (tmp_path / "squares" / "2.json").write_text(text)
    (one,) = carry_out([Square(2)], cache=cache)
    assert not one.kept and one.result == 4
    assert cache.get("squares/2", "the square of 2") == 4


def test_a_run_that_is_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    cache, works = Cache(tmp_path), [Square(number) for number in (1, 2, 3)]

    def stop(work: Square) -> None:
        if work.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for one in carry_out(works, cache=cache):
            stop(one.work)
    assert [one.kept for one in carry_out(works, cache=cache)] == [True, True, False]


def test_no_two_results_have_one_file() -> None:
    works = [*plan(), *plan(thorough=True)]
    works += [Weighing(name, thorough) for name in ENTRIES for thorough in (False, True)]
    files = [work.file.lower() for work in works]
    assert len(set(files)) == len(files)


def test_every_unit_of_work_has_a_key_of_its_own() -> None:
    works = [*plan(), *plan(thorough=True), *(Weighing(name) for name in ENTRIES)]
    assert len({work.key() for work in works}) == len(works)


@pytest.mark.parametrize("work", [GRADIENT, Task("zlpr"), Weighing("9158-m")], ids=str)
def test_the_key_changes_with_the_sources(
    work: Task | Weighing, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = work.key()
    assert work.key() == before
    for module in (tasks, judge):
        monkeypatch.setattr(module, "digest_of", lambda *names, without: "other sources")
    assert work.key() != before


def test_a_run_says_what_it_took(tmp_path: Path) -> None:
    works = [GRADIENT, Weighing("9158-m")]
    first = verify(works, cache=Cache(tmp_path))
    second = verify(works, cache=Cache(tmp_path))
    assert not first.kept.total()
    assert second.kept == {"derivations": 1, "ledger": 1}
    assert second.as_dict()["kept"]["derivations"] == 1
    assert second.derivations == first.derivations
    assert second.ledger[0].from_cache and not first.ledger[0].from_cache
    assert second.passed


# Sources -----------------------------------------------------------------------------------------


@pytest.fixture
def executed() -> Iterator[set[str]]:
    """The files of the project in which a function runs during the test."""
    seen: set[str] = set()

    def hear(frame: FrameType, event: str, argument: object) -> None:
        seen.add(frame.f_code.co_filename)

    sys.setprofile(hear)
    yield seen
    sys.setprofile(None)


@pytest.mark.parametrize(
    "task",
    [GRADIENT, Task("grid", "balance-value"), Task("lattice", "convexity"), Task("solutions")],
    ids=lambda task: task.title,
)
def test_what_a_task_runs_is_in_its_key(task: Task, executed: set[str]) -> None:
    """Registries and this way of doing work aside, all code that runs counts as a source."""
    if task.topic:
        SUBJECTS[task.loss]._derived.clear()  # built here, not by a test before
    task.do()
    sys.setprofile(None)
    known = {str(path) for path in reached_from(*modules_of(task), without=REGISTRIES).values()}
    known |= {str(ROOT / "verify" / "tasks.py"), str(ROOT / "derive" / "losses" / "__init__.py")}
    own = {name for name in executed if any(name.startswith(str(ROOT / p)) for p in PACKAGES)}
    assert own <= known
    assert not task.topic or str(ROOT / "derive" / "decide.py") in own


PACKAGES = ("derive", "numeric_core", "verify")


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_depends_on_its_own_module_and_on_the_calculus(name: str) -> None:
    topic = SUBJECTS[name].topics[0]
    found = set(reached_from(*modules_of(Task(name, topic)), without=REGISTRIES))
    own = f"derive.losses.{LOSSES[name].family}" if name in LOSSES else f"derive.{name}"
    assert {own, "derive.decide", "derive.normal_form", "derive.balls", "verify.mutation"} <= found
    assert not any(module.startswith("numeric_core") for module in found)


def test_one_loss_does_not_depend_on_the_others() -> None:
    found = set(reached_from(*modules_of(Task("zlpr")), without=REGISTRIES))
    assert {"numeric_core.losses.zlpr", "verify.oracle.row", "verify.patterns"} <= found
    assert "numeric_core.losses.subset" not in found
    assert "derive.losses.subset" not in found


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no module of .* is derive\.losses\.nothing"):
        reached_from("derive.losses.nothing")


def test_files_that_modules_read_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of("verify.files")
    record = tmp_path / "record.json"
    monkeypatch.setattr(sources, "_data_beside", lambda path: [record])
    digests = []
    for text in ("1", "2"):
        record.write_text(text)
        digest_of.cache_clear()
        digests.append(digest_of("verify.files"))
    digest_of.cache_clear()
    assert len({before, *digests}) == 3
