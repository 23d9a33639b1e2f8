"""The gallery: right code that does not look alike.  A check that finds a fault here is wrong."""

from __future__ import annotations

from verify.museum.piece import Piece, Takes

__all__ = ["RIGHT"]

INDEX = Takes(labels="class index")
ROW = Takes(one_row=True)
MARGIN = {"margin": 1.0}

RIGHT: tuple[Piece, ...] = (
    Piece("numpy_log1p_sums", "zlpr", "zlpr", "each side shifted by its own largest term"),
    Piece(
        "numpy_logaddexp_reduce",
        "multilabel_crossentropy",
        "zlpr",
        "logaddexp along the row, labels first",
        takes=Takes(labels_first=True),
    ),
    Piece(
        "numpy_double_inside",
        "zlpr_loss",
        "zlpr",
        "double precision inside, the mean over the batch",
        takes=Takes(gives="mean"),
    ),
    Piece("numpy_sorted_rows", "zlpr", "zlpr", "a loop over rows, each side sorted"),
    Piece(
        "numpy_labels_first_axis",
        "zlpr",
        "zlpr",
        "scores lie label by label",
        takes=Takes(labels_on_axis=0),
    ),
    Piece("numpy_soft_weights", "soft_zlpr", "soft_zlpr", "weights before the exponentials"),
    Piece(
        "numpy_softmax_soft_labels",
        "softmax_cross_entropy",
        "softmax_cross_entropy",
        "the mean, by the labels, of the distances to the log-sum-exp",
    ),
    Piece(
        "numpy_binary_logaddexp",
        "binary_cross_entropy",
        "binary_cross_entropy",
        "the two ways of being wrong, weighted",
    ),
    Piece(
        "numpy_binary_signs",
        "logistic_loss",
        "binary_cross_entropy",
        "labels are -1 and +1",
        takes=Takes(labels="signs"),
    ),
    Piece(
        "numpy_binary_probabilities",
        "binary_cross_entropy",
        "binary_cross_entropy",
        "takes probabilities, gives the mean over all labels",
        takes=Takes(probabilities=True, gives="mean of labels"),
    ),
    Piece("numpy_unified_pairs", "unified_loss", "unified", "the pairs one by one"),
    Piece(
        "numpy_subset_dynamic",
        "combination_softmax",
        "combination_softmax",
        "log Z_k from a table in logs",
    ),
    Piece("numpy_circle_formula", "circle_loss", "circle", "the forward pass only"),
    Piece(
        "numpy_hinge", "hinge_loss", "hinge", "Weston and Watkins", takes=INDEX, parameters=MARGIN
    ),
    Piece("torch_masked_fill", "zlpr", "zlpr", "the other side filled with -inf"),
    Piece(
        "torch_large_number",
        "multilabel_crossentropy",
        "zlpr",
        "1e12 for infinity: PyTorch multiplies float16 in float32, so that 0 times it is 0",
    ),
    Piece(
        "torch_module_mean",
        "ZLPRLoss",
        "zlpr",
        "a module; the other side filled with the least number",
        takes=Takes(gives="mean"),
    ),
    Piece(
        "torch_labels_first",
        "multilabel_categorical_crossentropy",
        "zlpr",
        "the two sides stacked, labels first",
        takes=Takes(labels_first=True),
    ),
    Piece(
        "torch_index_lists",
        "zlpr_of_indices",
        "zlpr",
        "lists of indices filled up with -1",
        takes=Takes(labels="index list", filler=-1),
    ),
    Piece(
        "torch_index_zero_filled",
        "sparse_multilabel_crossentropy",
        "zlpr",
        "lists of indices filled up with 0, a class that is no label",
        takes=Takes(labels="index list", filler=0),
    ),
    Piece("torch_backward_by_hand", "zlpr", "zlpr", "an autograd.Function with its own backward"),
    Piece(
        "torch_backward_of_inputs",
        "binary_cross_entropy",
        "binary_cross_entropy",
        "a backward pass by hand that has a derivative of its own",
    ),
    Piece("torch_soft_zlpr", "soft_zlpr", "soft_zlpr", "s + log(1 - t) where t < 1"),
    Piece(
        "torch_cross_entropy",
        "Criterion",
        "softmax_cross_entropy",
        "the library's own, in a module",
        takes=Takes(labels="class index", gives="mean"),
    ),
    Piece("torch_binary_logsigmoid", "bce", "binary_cross_entropy", "the two ways of being wrong"),
    Piece(
        "torch_unified",
        "unified_loss",
        "unified",
        "log(1 + e^x) of two log-sum-exps where both exist",
    ),
    Piece("torch_focal", "sigmoid_focal_loss", "focal", "from logs of sigmoids alone"),
    Piece("torch_circle", "CircleLoss", "circle", "the weights take part in the gradient"),
    Piece(
        "torch_circle_sides",
        "CircleLoss",
        "circle",
        "the similarities of either side as two tensors",
        takes=Takes(labels="sides"),
    ),
    Piece(
        "torch_max_hinge",
        "max_hinge",
        "max_hinge",
        "Crammer and Singer",
        takes=INDEX,
        parameters=MARGIN,
    ),
    Piece("torch_asymmetric", "asymmetric_loss", "asymmetric", "log1p of the shifted probability"),
    Piece("jax_logsumexp_where", "zlpr", "zlpr", "logsumexp over chosen labels"),
    Piece("jax_row_by_row", "zlpr", "zlpr", "one row, mapped over the batch"),
    Piece("jax_streaming", "zlpr", "zlpr", "a scan over the labels"),
    Piece(
        "jax_softmax",
        "cross_entropy",
        "softmax_cross_entropy",
        "the sum over the batch, class indices",
        takes=Takes(labels="class index", gives="sum"),
    ),
    Piece(
        "jax_binary",
        "sigmoid_binary_cross_entropy",
        "binary_cross_entropy",
        "the mean over all labels",
        takes=Takes(gives="mean of labels"),
    ),
    Piece("python_one_row", "zlpr", "zlpr", "one row in plain Python", takes=ROW),
    Piece(
        "python_pairs_and_labels",
        "zlpr",
        "zlpr",
        "before it is factorised: pairs, labels and 1",
        takes=ROW,
    ),
    Piece(
        "python_softmax_differences",
        "softmax_cross_entropy",
        "softmax_cross_entropy",
        "differences of scores",
        takes=Takes(labels="class index", one_row=True),
    ),
    Piece(
        "python_binary",
        "binary_cross_entropy",
        "binary_cross_entropy",
        "the stable form, a label at a time",
        takes=ROW,
    ),
)
