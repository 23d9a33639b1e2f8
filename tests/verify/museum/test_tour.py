"""The tour: `check` on each piece, finding out by itself how it is called, says what its card says.

In this process and with a short search; `lossproof museum` does the same in processes apart.
Pieces of torch, jax, keras and tensorflow are there where these are installed.
"""

from __future__ import annotations

import sys

import pytest

from verify.check import Options, examine
from verify.check.libraries import settle_keras
from verify.check.sandbox import CallLimit
from verify.museum import PIECES, Piece
from verify.museum.tour import installed

# A first call may have to be compiled, on a busy machine; only what never ends is waited for.
SECONDS_A_CALL, SECONDS_FOR_WHAT_NEVER_ENDS = 60.0, 1.0
SHORT_SEARCH = 0.02


@pytest.mark.filterwarnings("ignore")  # what libraries and pieces warn of is not on trial
@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: f"{piece.room}/{piece.name}")
def test_a_piece_is_found_out(piece: Piece, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed(piece.framework):
        pytest.skip(f"{piece.framework} is not installed")
    settle_keras()
    monkeypatch.setattr(sys.modules[examine.__module__], "SEARCH_SHARE", SHORT_SEARCH)
    endless = piece.cause == "never-ends"
    result = examine(
        piece.address,
        piece.against,
        Options(parameters=piece.parameters),
        guard=CallLimit(SECONDS_FOR_WHAT_NEVER_ENDS if endless else SECONDS_A_CALL),
    )
    assert result.verdict == piece.verdict, str(result)
    assert result.causes[:1] == ((piece.cause,) if piece.cause else ()), str(result)
