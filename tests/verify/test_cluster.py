"""Sweeps on a Dask cluster: the same results, kept here, and errors that say what is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import joblib
import pytest
from click.testing import CliRunner

from lossproof.cli import main
from verify import work
from verify.cache import Cache
from verify.ledger.judge import Weighing
from verify.museum import PIECES
from verify.run import Task, verify
from verify.work import carry_out, on_cluster

distributed = pytest.importorskip("distributed")

WORKS = [Task("zlpr", "gradient"), Weighing("9158-m")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    options: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**options) as made:
        yield made


class OtherSources(Weighing):
    """A unit of work whose key differs in every process."""

    def key(self) -> str:
        import os

        return str(os.getpid())


@dataclass(frozen=True)
class Apart:
    """Work that fails, as does its key, while another of its kind is at it."""

    number: int
    folder: Path

    title, file = "apart", property(lambda self: f"apart/{self.number}")

    @contextmanager
    def inside(self) -> Iterator[None]:
        door = self.folder / "door"
        door.mkdir()  # FileExistsError where another is inside
        time.sleep(0.2)
        yield
        door.rmdir()

    def key(self) -> str:
        with self.inside():
            return f"apart {self.number}"

    def do(self) -> int:
        with self.inside():
            return self.number


def test_a_sweep_on_a_cluster_is_the_sweep_here(cluster: Any, tmp_path: Path) -> None:
    here = verify(WORKS)
    with on_cluster(cluster.scheduler_address):
        there = verify(WORKS, cache=Cache(tmp_path))
    assert [x.trials for x in there.derivations] == [x.trials for x in here.derivations]
    assert [x.trace for x in there.derivations] == [x.trace for x in here.derivations]
    assert [x.computed for x in there.ledger] == [x.computed for x in here.ledger]
    assert there.passed and verify(WORKS, cache=Cache(tmp_path)).kept.total() == 2


def test_a_worker_does_one_unit_at_a_time(cluster: Any, tmp_path: Path) -> None:
    works = [Apart(number, tmp_path) for number in range(4)]
    with on_cluster(cluster.scheduler_address):
        done = list(carry_out(works, cache=Cache(tmp_path / "kept")))
    assert sorted(one.result for one in done) == [0, 1, 2, 3]


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    found: list[int] = []
    sweeps = [
        Thread(target=lambda n=n: found.extend(x.result for x in carry_out([Apart(n, tmp_path)])))
        for n in range(3)
    ]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
    assert sorted(found) == [0, 1, 2]


def test_the_configuration_of_the_caller_counts(cluster: Any) -> None:
    with distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        assert work._far_away()
        (one,) = carry_out(WORKS[:1])
    assert not work._far_away()
    assert one.result.holds


def test_other_sources_are_refused(cluster: Any, tmp_path: Path) -> None:
    works = [OtherSources("9158-m")]
    with on_cluster(cluster.scheduler_address), pytest.raises(ValueError, match="install the same"):
        list(carry_out(works, cache=Cache(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_the_museum_on_a_cluster(cluster: Any) -> None:
    name = next(p.name for p in PIECES if p.framework == "python")
    result = CliRunner().invoke(main, ["museum", name, "--cluster", cluster.scheduler_address])
    assert result.exit_code == 0, result.output


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ANSWER", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://"):
        result = CliRunner().invoke(main, ["verify", "--only", "9158-m", "--cluster", address])
        assert result.exit_code == 2
        assert f"no Dask scheduler answers at '{address}'" in result.output
