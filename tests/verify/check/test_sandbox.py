"""Foreign code that hangs, leaves, talks or takes all memory: a finding, in time."""

from __future__ import annotations

import time

import pytest

from verify.check import check_apart
from verify.check.sandbox import Worker

OPTIONS = {"budget": 5.0, "convention": {"framework": "numpy", "scores_first": True}}


@pytest.mark.parametrize(
    ("name", "limit", "words"),
    [
        ("never_ends", 60, "no answer within 5 s"),
        ("sleeps", 8, "no answer within 8 s"),
        ("leaves", 60, "exit status 3"),
        ("takes_memory", 60, "Unable to allocate"),
    ],
)
def test_what_gives_no_answer_does_not_run(place, name, limit, words):
    begun = time.monotonic()
    result = check_apart(f"{place}:{name}", "zlpr", OPTIONS, time_limit=limit, memory_limit=2048)
    assert result.verdict == "does-not-run"
    assert words in result.detail
    assert time.monotonic() - begun < limit + 10


def test_talk_is_not_heard(place, capfd):
    result = check_apart(f"{place}:talks", "binary_cross_entropy", OPTIONS)
    assert result.verdict == "limited-range"
    assert capfd.readouterr().out == ""


def test_bad_input_is_an_error(place, tmp_path):
    for target, words in (
        (f"{place}:nothing", "has no 'nothing'"),
        (f"{place}:not_callable", "expected a function"),
        ("nowhere.py:f", "there is no file"),
        ("zlpr", "cannot read"),
    ):
        with pytest.raises(ValueError, match=words):
            check_apart(target, "zlpr", OPTIONS)


def test_a_file_that_raises_does_not_run(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import a_module_that_nobody_has\n")
    result = check_apart(f"{path}:f", "zlpr", OPTIONS)
    assert result.verdict == "does-not-run"
    assert "a_module_that_nobody_has" in result.detail


def test_a_worker_answers_one_request_after_another_and_is_started_anew(place):
    with Worker() as worker:
        for name, verdict in (("zlpr", "equal"), ("leaves", "does-not-run"), ("zlpr", "equal")):
            made = check_apart(f"{place}:{name}", "zlpr", OPTIONS, worker=worker)
            assert made.verdict == verdict, str(made)
