"""Keras on the backend that is here: losses as classes, their reductions, functions of `ops`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from verify.check import Options, examine, libraries
from verify.check.libraries import framework_named, frameworks_for, installed, settle_keras
from verify.check.target import load_target

if not installed("keras"):
    pytest.skip("Keras, or a backend for it, is not installed", allow_module_level=True)
settle_keras()
import keras  # noqa: E402
from keras import ops  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
BCE = "binary_cross_entropy"
SHORT = Options(dtypes=("float64", "float32"), excluding=("mask -inf", "mask minimum"), budget=5)


def zlpr(y_true, y_pred):
    low, zeros = ops.full_like(y_pred, -float("inf")), ops.zeros_like(y_pred[..., :1])
    sides = (ops.where(y_true > 0, low, y_pred), ops.where(y_true > 0, -y_pred, low))
    padded = (ops.concatenate([side, zeros], axis=-1) for side in sides)
    return sum(ops.logsumexp(side, axis=-1) for side in padded)


class ZLPR(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return zlpr(y_true, y_pred)


class Turned(keras.losses.Loss):
    def call(self, y_pred, y_true):
        return zlpr(y_true, y_pred)


def test_the_backend_is_found():
    (found,) = frameworks_for(load_target(zlpr))
    assert found is framework_named("keras")
    assert found.name == keras.config.backend()


def test_a_function_of_ops_is_equal_in_float64():
    result = examine(zlpr, "zlpr", SHORT)
    assert result.verdict == "equal", str(result)
    assert max(result.ulps.values()) < 4


@pytest.mark.parametrize(
    ("reduction", "found"),
    [("sum_over_batch_size", "mean"), ("sum", "sum"), (None, "none")],
)
def test_reductions_of_a_loss_class(reduction, found):
    result = examine(ZLPR(reduction=reduction), "zlpr", SHORT)
    assert result.verdict == "equal", str(result)
    assert result.assumed["reduction"] == found


def test_a_loss_class_is_called_as_keras_calls_it():
    result = examine(Turned, "zlpr", SHORT)
    assert (result.verdict, result.causes[:1]) == ("different", ("swapped-arguments",))


@pytest.mark.parametrize(
    ("loss", "against", "verdict"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), BCE, "equal"),
        (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "softmax_cross_entropy",
            "equal",
        ),
        (keras.losses.SquaredHinge(), "hinge", "different"),
    ],
    ids=["binary", "sparse softmax", "squared hinge"],
)
def test_losses_of_the_library(loss, against, verdict):
    result = examine(loss, against, SHORT)
    assert result.verdict == verdict, str(result)


def test_a_backend_that_is_here_is_chosen_where_tensorflow_is_not(monkeypatch, tmp_path):
    environment = {"KERAS_HOME": str(tmp_path)}
    monkeypatch.setattr(libraries, "os", SimpleNamespace(environ=environment))
    monkeypatch.setattr(libraries, "find_spec", lambda name: name in ("jax", "torch") or None)
    settle_keras()
    assert environment.pop("KERAS_BACKEND") == "torch"
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    settle_keras()
    assert "KERAS_BACKEND" not in environment  # Keras reads the file itself
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    settle_keras()
    assert environment.pop("KERAS_BACKEND") == "torch"
    monkeypatch.setattr(libraries, "find_spec", lambda name: True)
    settle_keras()
    assert "KERAS_BACKEND" not in environment


def test_keras_needs_a_backend(monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: name == "keras" or None)
    assert not installed("keras")
    with pytest.raises(ValueError, match="keras is not installed"):
        framework_named("keras")
