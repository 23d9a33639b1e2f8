"""A pytest fixture that holds an implementation to its loss, in every run of your own tests.

    def test_my_loss(assert_loss_matches):
        assert_loss_matches(my_loss, "zlpr", allow=["limited-range"])

It comes with the installation of lossproof and costs nothing where it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verify.check import Result


@pytest.fixture(scope="session")
def assert_loss_matches() -> Callable[..., Result]:
    """``assert_loss_matches(target, against, *, allow=(), **options)``; the result, if it matches.

    The options are those of `lossproof.check`.  A failure shows the report of the check.
    """

    def matches(
        target: str | Callable[..., Any],
        against: object,
        *,
        allow: Sequence[str] = (),
        **options: Any,
    ) -> Result:
        from lossproof.checking import check

        result = check(target, against, **options)
        result.assert_matches(allow)
        return result

    return matches
