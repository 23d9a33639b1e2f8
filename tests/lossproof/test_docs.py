"""docs/check.md tells the truth: verdicts, classes of rows, libraries, options and its example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lossproof.cli import check
from verify.check import VERDICTS, specification_of
from verify.check.cases import CLASSES
from verify.check.frameworks import FRAMEWORKS
from verify.check.weigh import BOUNDS

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")
NAMES = set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_verdict_is_explained_and_no_other() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| .* \| ([01]) \|$", PAGE, flags=re.MULTILINE)
    assert dict(told) == {verdict: "0" if verdict == "equal" else "1" for verdict in VERDICTS}


def test_every_class_of_rows_is_explained() -> None:
    assert set(CLASSES) <= NAMES


def test_every_option_that_is_named_is_there() -> None:
    options = {text for parameter in check.params for text in parameter.opts}
    options |= {text for parameter in check.params for text in parameter.secondary_opts}
    named = {word for name in NAMES for word in re.findall(r"(?<!\S)--?[a-z-]+(?=\s|$)", name)}
    assert {"--framework", "--labels-first", "--exclude", "-p", "-a"} <= named
    assert named - {"--list", "-inf"} <= options  # an option of `lossproof museum`, and a score


def test_every_library_is_named() -> None:
    libraries = {name for name in FRAMEWORKS if name != "python"}
    assert all(re.search(rf"\b{name}\b", PAGE) for name in libraries)


def test_the_bounds_are_those_that_are_held() -> None:
    told = re.search(r"is (\d+) in float64 and float32, (\d+) in float16 and bfloat16", PAGE)
    assert told is not None
    wide, narrow = map(float, told.groups())
    assert {"float64": wide, "float32": wide, "float16": narrow, "bfloat16": narrow} == BOUNDS


def test_the_example_is_a_specification(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(from sympy.*?)```", PAGE, flags=re.DOTALL)
    path = tmp_path / "my_losses.py"
    path.write_text(code)
    value = specification_of(f"{path}:weighted").value([0.5, -1.0], [1.0, 0.0])
    # 3 log(1 + e^-0.5) + log(1 + e^-1)
    assert value == pytest.approx(1.7354926, abs=1e-6)
