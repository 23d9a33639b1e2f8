"""Holding any implementation of a loss against the formula: `examine`, `check_apart`, `Result`.

The parts, in the order in which data meets them: :mod:`~verify.check.target` is what is on trial,
:mod:`~verify.check.specification` the truth, :mod:`~verify.check.discovery` finds out how the one
is called, :mod:`~verify.check.cases` are the rows, :mod:`~verify.check.weigh` what error is
allowed, :mod:`~verify.check.verdict` what it comes to, :mod:`~verify.check.causes` why, and
:mod:`~verify.check.sandbox` keeps foreign code in a process of its own.
"""

from __future__ import annotations

from verify.check.examine import Options, examine
from verify.check.findings import VERDICTS, Finding
from verify.check.result import Mismatch, Result
from verify.check.sandbox import MEMORY_LIMIT, TIME_LIMIT, check_apart
from verify.check.specification import Specification, specification_of
from verify.check.target import CannotLoad, read_address

__all__ = ["MEMORY_LIMIT", "TIME_LIMIT", "VERDICTS", "CannotLoad", "Finding", "Mismatch", "Options"]
__all__ += ["Result", "Specification", "check_apart", "examine", "read_address", "specification_of"]
