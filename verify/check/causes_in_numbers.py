"""Faults of arithmetic, labels and rows: the formula may be right, the numbers are not."""

from __future__ import annotations

from verify.check.cause import Cause

__all__ = ["NUMBERS"]

NUMBERS = (
    # the arithmetic
    Cause(
        "mask-constant",
        "a large number stands for infinity",
        "labels of the other side are taken away by a constant such as 1e12; beyond its dtype's "
        "range it is infinity and 0 times it is nan, and scores larger than it leak through",
        "fill with -inf (masked_fill, where) before the log-sum-exp with its appended 0",
    ),
    Cause(
        "overflow",
        "exp of plain scores",
        "e^s is infinite from s = 709 in float64, 88 in float32, 11 in float16",
        "use logsumexp with a 0 appended, or softplus; never log of a sum of plain exponentials",
    ),
    Cause(
        "shared-maximum",
        "one maximum for two sums",
        "both sums are shifted by the larger maximum; the other sum underflows and its log is -inf",
        "shift each sum by its own maximum: two calls of logsumexp",
    ),
    Cause(
        "softplus-threshold",
        "softplus that is cut off at 20",
        "PyTorch's softplus returns x itself above 20: off by e^-20 = 2e-9, far above rounding in "
        "float64",
        "use -logsigmoid(-x), or logaddexp(0, x)",
    ),
    Cause(
        "sparse-cancellation",
        "the negatives by subtraction",
        "log(sum of all - sum of the positives) cancels when the positives are nearly all: log 0, "
        "or with a clip a loss below 0 and no gradient for the negatives",
        "scatter -inf to the positives' places and take the log-sum-exp of the rest",
    ),
    Cause(
        "epsilon-in-log",
        "probabilities kept away from 0 by an epsilon",
        "log(p + eps), or p clipped to [eps, 1 - eps], stops the loss at -log eps; where it is "
        "clipped the worst labels have no gradient",
        "work on logits: logsigmoid, log_softmax, softplus",
    ),
    Cause(
        "log-of-probability",
        "the log of a probability",
        "p, or 1 - p, rounds to 0 for a confident score, and its log is -inf",
        "work on logits: logsigmoid(s) for log p, logsigmoid(-s) for log(1 - p)",
    ),
    Cause(
        "infinity-less-infinity",
        "-inf meets -inf",
        "the log of a label 0 is -inf, and so is a masked score: their difference is nan",
        "take logs only of labels above 0, and put -inf into the sum for the others",
    ),
    Cause(
        "zero-times-infinity",
        "0 times infinity",
        "a masked score is -inf, and a product of it with a label or a weight 0 is nan",
        "choose with where, do not multiply by 0; or mask with a large finite number",
    ),
    Cause(
        "empty-side",
        "a row without positives, or without negatives",
        "the log-sum-exp of nothing subtracts -inf from -inf: nan, in the value or the gradient",
        "append the 0 of the threshold before the log-sum-exp, so that no sum is empty",
    ),
    Cause(
        "power-sums",
        "Newton's identities",
        "power sums of alternating sign cancel where few scores stand out: digits are lost, then "
        "the log of a negative number is taken",
        "build the sum over subsets one score at a time, all terms positive, in logs or scaled",
    ),
    Cause(
        "half-range",
        "beyond the range of float16",
        "an intermediate number is larger than 65504",
        "compute the loss in float32 and cast the result",
    ),
    Cause(
        "single-inside",
        "float32 inside",
        "float64 scores are computed with in float32",
        "keep the dtype of the scores, or say so",
    ),
    Cause(
        "mask",
        "masked scores",
        "the score of a masked label takes part in the arithmetic",
        "give masked labels -inf, and choose with where in place of products",
    ),
    # labels
    Cause(
        "hard-formula",
        "the formula of hard labels on soft ones",
        "(1 - 2t) s shrinks the score of a label between 0 and 1, and a mask by t takes the label "
        "out of both sums: no loss, no gradient",
        "use s + log(1 - t) and -s + log t: soft ZLPR",
    ),
    Cause(
        "labels-rounded",
        "soft labels are rounded",
        "labels are compared with a number, or their largest is taken: what lies between is lost",
        "weigh the terms with the labels",
    ),
    Cause(
        "labels-clipped",
        "labels kept away from 0 and 1",
        "labels clipped to [eps, 1 - eps] are other labels: a perfect score costs "
        "2 log(1 + n sqrt(eps (1 - eps))), and beyond logit(1 - eps) / 2 gradients turn round",
        "take logs only of labels above 0 (where), with -inf for the others",
    ),
    Cause(
        "labels-smoothed",
        "labels are smoothed inside",
        "(1 - e) t + e / n stands for each label: scores are held back, and the loss of a perfect "
        "score is not 0",
        "set the smoothing to 0 and smooth labels outside, where the size of n is seen",
    ),
    Cause(
        "padding-counted",
        "the filling of index lists counts",
        "places that fill up a list of labels add a term to the positives",
        "give them the score +inf among the positives (their e^-s is 0), or count with a mask",
    ),
    Cause(
        "counted-twice",
        "labels counted twice",
        "scores are repeated, or a positive stays among the negatives",
        "each label belongs to one sum, once",
    ),
    Cause(
        "label-dtype",
        "labels of another dtype",
        "the labels' dtype is not taken",
        "cast labels to the dtype of the scores, or to int64 where they are indices",
    ),
    Cause(
        "bool-arithmetic",
        "arithmetic on booleans",
        "1 - y is not defined for boolean tensors",
        "use ~y, or cast to the dtype of the scores",
    ),
    # rows
    Cause(
        "one-log-a-batch",
        "one log for the whole batch",
        "a boolean mask or a sum without an axis flattens the batch: rows share their sums",
        "keep the batch: where or masked_fill, and sums along the label axis",
    ),
    Cause(
        "rows-mixed",
        "rows of a batch are mixed",
        "a product or a broadcast pairs each row's labels with each row's scores",
        "multiply elementwise and sum along the label axis; look at the shape of the result",
    ),
    Cause(
        "labels-as-rows",
        "each label is a row",
        "a reshape with an axis too many makes rows of one label: their loss is cross-entropy",
        "flatten all axes but the batch's (and the heads'): reshape(batch, -1)",
    ),
    Cause(
        "wrong-axis",
        "a reduction along the wrong axis",
        "the sum or the softmax runs over the batch, not over the labels",
        "name the label axis: dim=-1",
    ),
)
