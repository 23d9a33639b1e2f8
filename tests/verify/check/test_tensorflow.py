"""TensorFlow: gradient tapes, compiled functions, exact numbers, strict dtypes."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from verify.check import Options, examine  # noqa: E402
from verify.check.frameworks import FRAMEWORKS  # noqa: E402
from verify.check.libraries import frameworks_for  # noqa: E402
from verify.check.target import load_target  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
LIBRARY = FRAMEWORKS["tensorflow"]
BCE = "binary_cross_entropy"


def zlpr(y_true, y_pred):
    low = tf.constant(float("-inf"), y_pred.dtype)
    sides = (tf.where(y_true > 0, low, y_pred), tf.where(y_true > 0, -y_pred, low))
    padded = (tf.pad(side, [[0, 0], [1, 0]]) for side in sides)
    return tf.add_n([tf.reduce_logsumexp(side, axis=-1) for side in padded])


@tf.function
def mean_of_rows(labels, logits):
    return tf.reduce_mean(zlpr(labels, logits))


@tf.custom_gradient
def _turned(scores):
    return tf.identity(scores), lambda upstream: -upstream


def wrong_slope(labels, logits):
    return zlpr(labels, _turned(logits))


def picks_by_index(labels, logits):
    own = tf.gather(logits, labels, axis=1, batch_dims=1)
    return tf.reduce_mean(tf.reduce_logsumexp(logits, axis=-1) - own)


@pytest.mark.parametrize("dtype", LIBRARY.dtypes)
def test_numbers_cross_over_exactly(dtype):
    numbers = np.array([[1.5, -np.inf, 5e-324, 1e-40], [0.1, 2.0**-24, -0.0, 65504.0]])
    made = LIBRARY.array(numbers, dtype)
    assert LIBRARY.dtype_of(made) == dtype
    expected = numbers.astype(tf.as_dtype(dtype).as_numpy_dtype).astype(np.float64)
    assert np.array_equal(LIBRARY.floats(made), expected)


def test_gradient_and_hessian_product_of_a_cube():
    scores, labels = LIBRARY.array(np.array([[1.0, -2.0]]), "float64"), None
    vector = LIBRARY.array(np.array([[1.0, 0.5]]), "float64")

    def cube(s, _):
        return s**3

    assert np.array_equal(LIBRARY.gradient(cube, scores, labels, {}), [[3.0, 12.0]])
    assert np.array_equal(LIBRARY.hvp(cube, scores, labels, vector), [[6.0, -6.0]])


def test_gradients_that_come_as_slices_are_read():
    scores = LIBRARY.array(np.array([[1.0, -2.0], [3.0, 4.0]]), "float64")
    slope = LIBRARY.gradient(lambda s, _: tf.gather(s, [1]) ** 2, scores, None, {})
    assert np.array_equal(slope, [[0.0, 0.0], [6.0, 8.0]])


def test_library_functions_behind_decorators_are_told():
    target = load_target("tensorflow.nn:sigmoid_cross_entropy_with_logits")
    assert [x.name for x in frameworks_for(target)] == ["tensorflow"]
    assert [x.name for x in frameworks_for(load_target(mean_of_rows))] == ["tensorflow"]


def test_a_compiled_function_is_equal():
    result = examine(mean_of_rows, "zlpr", Options(dtypes=("float64", "float16"), budget=8))
    assert result.verdict == "equal", str(result)
    assert result.assumed["reduction"] == "mean"


def test_a_wrong_custom_gradient_is_seen():
    result = examine(wrong_slope, "zlpr", Options(dtypes=("float64",), budget=5))
    assert (result.verdict, result.causes[:1]) == ("gradient-wrong", ("backward-sign",))


def test_class_indices():
    result = examine(picks_by_index, "softmax_cross_entropy", Options(dtypes=("float64",)))
    assert result.verdict == "equal", str(result)
    assert result.assumed["labels"].startswith("class")


def test_the_librarys_own_binary_cross_entropy_is_right_but_under_masks():
    options = Options(dtypes=("float64", "float32"), excluding=("mask -inf",), budget=8)
    result = examine("tensorflow.nn:sigmoid_cross_entropy_with_logits", BCE, options)
    assert result.verdict == "equal", str(result)
    assert result.assumed["reduction"] == "elements"
