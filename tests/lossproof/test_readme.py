"""The README tells the truth: its examples run, and its table of naive results is re-measured."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lossproof import zlpr
from lossproof.cli import main
from verify.museum import FAULTY, RIGHT
from verify.oracle import BallOracle

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
# A row of the table: a dtype, scores and labels in parentheses, then four results.
ROW = re.compile(r"\| (float\d+) \| \((.*?)\) \| \((.*?)\) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|")
ROWS = ROW.findall(README.read_text(encoding="utf-8"))


def plain(s: np.ndarray, y: np.ndarray) -> np.floating:
    """log(1 + sum(exp)) on both sides, as printed in papers."""
    return np.log(1 + (y * np.exp(-s)).sum()) + np.log(1 + ((1 - y) * np.exp(s)).sum())


def masked(s: np.ndarray, y: np.ndarray) -> np.floating:
    """The widespread code: the other side is moved away by 1e12, then log-sum-exp with a zero."""
    far, zero = s.dtype.type(1e12), s.dtype.type(0)

    def logsumexp(x: np.ndarray) -> np.floating:
        return x.max() + np.log(np.exp(x - x.max()).sum())

    signed = (1 - 2 * y) * s
    negative, positive = signed - y * far, signed - (1 - y) * far
    return logsumexp(np.append(negative, zero)) + logsumexp(np.append(positive, zero))


def numbers(text: str, dtype: str) -> np.ndarray:
    return np.array([float(word) for word in text.split(",")], dtype=dtype)


def test_the_examples_run() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert tried and not failed


def test_the_table_is_found() -> None:
    assert len(ROWS) == 4


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}({row[1]})")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the naive code overflows: that is shown
def test_the_table_is_measured(row: tuple[str, ...]) -> None:
    dtype, scores, labels, *results = row
    s, y = numbers(scores, dtype), numbers(labels, dtype)
    shown = numbers(",".join(results[:3]), dtype)
    found = np.array([f(s, y) for f in (plain, masked, zlpr)], dtype=dtype)
    # other processors may round exp and log otherwise in the last place
    np.testing.assert_allclose(found, shown, rtol=4 * float(np.finfo(dtype).eps), atol=0)
    truth = float(BallOracle("zlpr")(s.tolist(), y.tolist()).value)
    assert f"{truth:.10g}" == results[3]


def test_the_check_says_what_is_shown(monkeypatch) -> None:
    pytest.importorskip("torch", reason="the file that the README checks is for PyTorch")
    monkeypatch.chdir(ROOT)
    shown = README.read_text(encoding="utf-8").partition("```console\n")[2].partition("```")[0]
    command, *lines = shown.splitlines()
    outcome = CliRunner().invoke(main, command.removeprefix("$ lossproof ").split())
    assert outcome.exit_code == 1
    said = " ".join(outcome.output.split())
    assert lines and all(" ".join(line.split()) in said for line in lines)


def test_the_museum_is_as_large_as_told() -> None:
    told = re.search(
        r"(\d+) of (\d+) faults are found and rightly named, and none of (\d+) right ones",
        " ".join(README.read_text(encoding="utf-8").split()),
    )
    assert told is not None
    assert tuple(map(int, told.groups())) == (len(FAULTY), len(FAULTY), len(RIGHT))
