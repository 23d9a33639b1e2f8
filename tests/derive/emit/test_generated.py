"""The committed files are those that would be emitted now: ``lossproof emit --all generated``."""

from __future__ import annotations

from pathlib import Path

import pytest

from derive.losses import LOSSES
from lossproof.emitting import Emission, emissions

FOLDER = Path(__file__).parents[3] / "generated"
QUANTITY = "value_and_grad"
HOW = f"regenerate with: lossproof emit --all generated --only {QUANTITY}"


def emission(loss: str) -> Emission:
    return next(work for work in emissions([loss, QUANTITY]))


@pytest.mark.parametrize("loss", LOSSES)
def test_committed_files_are_emitted_again(loss: str) -> None:
    texts, _ = emission(loss).do()
    for name, text in texts.items():
        committed = FOLDER / name
        assert committed.is_file(), f"{name} is missing: {HOW}"
        assert committed.read_text(encoding="utf-8") == text, f"{name} differs: {HOW}"


def test_no_file_of_another_loss_is_left() -> None:
    endings = {f"{loss}_{QUANTITY}" for loss in LOSSES}
    found = {path.stem for path in FOLDER.rglob("*") if path.is_file()}
    assert found == endings, f"{sorted(found ^ endings)}: {HOW}"
