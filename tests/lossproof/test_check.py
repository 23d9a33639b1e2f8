"""`lossproof check` and `lossproof.check`: exit status, JSON, page, fixture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lossproof
from lossproof.checking import read_options
from lossproof.cli import main

pytest_plugins = ["pytester"]

RIGHT = """
import numpy as np

def zlpr(y_pred, y_true):
    sides = ((y_pred, y_true < 1), (-y_pred, y_true > 0))
    return sum(np.logaddexp.reduce(np.where(m, x, -np.inf), axis=-1, initial=0.0) for x, m in sides)

def half(y_pred, y_true):
    return zlpr(y_pred, y_true) / 2
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(RIGHT)
    return str(path)


def run(*arguments: str):
    return CliRunner().invoke(main, ["check", *arguments])


def test_exit_status(place):
    right = run(f"{place}:zlpr", "--against", "zlpr")
    assert right.exit_code == 0 and right.output.startswith("equal")
    assert run(f"{place}:half", "--against", "zlpr").exit_code == 1
    assert run(f"{place}:half", "--against", "zlpr", "--allow", "equal-up-to-scale").exit_code == 0
    for bad in (
        (f"{place}:zlpr", "--against", "nothing"),
        (f"{place}:nothing", "--against", "zlpr"),
        (f"{place}:zlpr", "--against", "zlpr", "--allow", "anything"),
        (f"{place}:zlpr", "--against", "zlpr", "-p", "threshold=high"),
        (f"{place}:zlpr", "--against", "zlpr", "--html", "/nowhere/at/all.html"),
    ):
        assert run(*bad).exit_code == 2


def test_json_and_page(place, tmp_path):
    page = tmp_path / "check.html"
    result = run(f"{place}:half", "--against", "zlpr", "--json", "--html", str(page))
    data = json.loads(result.output)
    assert data["verdict"] == "equal-up-to-scale"
    assert "0.5 times" in page.read_text(encoding="utf-8")


def test_a_callable_is_checked_in_this_process():
    def binary(scores, labels):
        return np.logaddexp(0, np.where(labels > 0, -scores, scores)).sum(-1)

    result = lossproof.check(binary, "binary_cross_entropy", budget=5)
    assert result.verdict == "hard-labels-only"
    assert not result.matches()


def test_our_own_losses_are_equal():
    result = lossproof.check(lossproof.zlpr, "zlpr", framework="numpy", budget=5)
    assert result.verdict == "equal", str(result)


def test_options_are_json_or_text():
    assert read_options(["a=1.5", "b=none", "c=[1]"], False) == {"a": 1.5, "b": "none", "c": [1]}
    with pytest.raises(ValueError, match="expected NAME=VALUE"):
        read_options(["gamma"], True)


def test_the_fixture(pytester):
    pytester.makepyfile(
        """
        import numpy as np

        def binary(scores, labels):
            return np.logaddexp(0, np.where(labels > 0, -scores, scores)).sum(-1)

        def test_right(assert_loss_matches):
            assert_loss_matches(binary, "binary_cross_entropy", allow=["hard-labels-only"])

        def test_wrong(assert_loss_matches):
            assert_loss_matches(binary, "zlpr")
        """
    )
    outcome = pytester.runpytest("-p", "lossproof.pytest_plugin", "-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=1, failed=1)


def test_the_museum_prints_both_rates():
    outcome = CliRunner().invoke(main, ["museum", "numpy_missing_minus", "numpy_log1p_sums"])
    assert outcome.exit_code == 0, outcome.output
    assert "found and rightly named 1/1" in outcome.output
    assert "false alarms            0/1" in outcome.output
    assert CliRunner().invoke(main, ["museum", "nothing-like-it"]).exit_code == 2
