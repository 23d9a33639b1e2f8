"""What goes wrong in such code, in plain words: why it does, and what to do.

The ids are those of the museum's cards; `likely_causes` finds them from what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verify.check.diagnosis import likely_causes

__all__ = ["CAUSES", "Cause", "likely_causes"]


@dataclass(frozen=True)
class Cause:
    """A fault by name.  why: what the code does; cure: what it should do."""

    id: str
    title: str
    why: str
    cure: str


_TABLE = (
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
    # the formula
    Cause(
        "swapped-arguments",
        "scores and labels are swapped",
        "the names in the signature say one order and the body takes the other",
        "call by keyword, or change the order",
    ),
    Cause(
        "missing-minus",
        "a minus is missing",
        "the sign of a score is wrong in a term: what should rise is pushed down",
        "positives enter as e^-s, negatives as e^s; in softplus it is e^-|s|",
    ),
    Cause(
        "one-left-out",
        "the 1 in the sum is missing",
        "log of the sum, not log of 1 + the sum: there is no threshold, and the loss has no floor",
        "append a score 0 to each side before the log-sum-exp",
    ),
    Cause(
        "one-not-shifted",
        "the 1 is not shifted with the rest",
        "m + log(1 + sum e^(s - m)) is not log(1 + sum e^s): the 1 has to be e^-m",
        "append the 0 before the shift",
    ),
    Cause(
        "side-left-out",
        "a side is missing",
        "only the negatives, or only the positives, are in the loss",
        "add the log-sum-exp of the other side",
    ),
    Cause(
        "sigmoid-twice",
        "a sigmoid too many",
        "the function takes logits and begins with a sigmoid of its own",
        "hand over logits",
    ),
    Cause(
        "softmax-twice",
        "a softmax too many",
        "the function takes logits and begins with a softmax of its own",
        "hand over logits",
    ),
    Cause(
        "softmax-for-sigmoid",
        "softmax where sigmoid should be",
        "probabilities that sum to 1 over the labels; labels of many classes do not exclude each "
        "other",
        "use a sigmoid for each label",
    ),
    Cause(
        "max-for-sum",
        "a maximum in place of a sum",
        "only the class with the largest lead costs",
        "sum over the classes, or call it by its own name",
    ),
    Cause(
        "sum-of-logs",
        "a sum of logs in place of the log of a sum",
        "each pair has a log of its own",
        "sum the exponentials of all pairs, then take one log",
    ),
    Cause(
        "mean-inside-log",
        "a mean inside the log",
        "the sum beside the 1 is divided by a number of labels: another threshold for each length",
        "sum inside the log; divide outside of it, if at all",
    ),
    Cause(
        "mean-for-sum",
        "the log of a mean",
        "log-mean-exp is log-sum-exp less the log of the number of terms: gradients are the same, "
        "values of rows of different lengths are not comparable and may be negative",
        "use the sum",
    ),
    Cause(
        "entropy-taken-off",
        "the entropy of the labels is taken off",
        "this is a Kullback-Leibler divergence: cross-entropy less the entropy of the labels",
        "nothing for training; add the entropy to compare values",
    ),
    Cause(
        "constant-factor",
        "a constant factor",
        "the loss is multiplied by a number: the step size is another",
        "leave the factor to the learning rate",
    ),
    Cause(
        "log-base",
        "logarithms to another base",
        "log2 or log10 in place of the natural log",
        "use log",
    ),
    Cause(
        "temperature",
        "scores are scaled",
        "scores are divided by a temperature inside the loss, gradients with them",
        "scale outside of the loss, and multiply by the square if gradients are to be comparable",
    ),
    Cause(
        "focal-weight",
        "the weight of the other class",
        "negatives are weighted with 1 - p, or positives with p",
        "weigh with 1 - p_t: 1 - p for a positive, p for a negative",
    ),
    Cause(
        "factor-for-exponent",
        "gamma is a factor",
        "gamma (1 - p) stands where (1 - p)^gamma should",
        "use a power",
    ),
    Cause(
        "margin-sign",
        "a margin with the wrong sign",
        "a score or a probability is shifted the wrong way",
        "Circle: s - m for negatives, s - 1 + m for positives; asymmetric: max(p - m, 0)",
    ),
    Cause(
        "other-parameters",
        "other parameters",
        "it is the loss with other constants",
        "name the parameters to hold it against, or change the defaults",
    ),
    # gradients
    Cause(
        "detached-shift",
        "half of the shift is detached",
        "the largest term is subtracted with its gradient and added back without: its component "
        "is off by 1",
        "detach the shift in both places or in none; or call logsumexp",
    ),
    Cause(
        "detached-weights",
        "weights are held fixed",
        "the weights are detached: what is trained with is the gradient of no function",
        "let the weights take part, or hold it against circle with detach_weights in mind",
    ),
    Cause(
        "second-derivative",
        "a backward pass that is not differentiable",
        "the gradient is computed from numbers that were saved without their history, or detached: "
        "a second derivative misses what they depend on, and nothing says so",
        "compute the backward pass from the saved inputs with operations that have a derivative, "
        "or mark it once_differentiable, so that a second derivative raises",
    ),
    Cause(
        "backward-sign",
        "a backward pass with a wrong sign",
        "components of the gradient have the right size and the wrong sign",
        "carry the sign of the inner derivative; hold the backward pass against autograd",
    ),
    Cause(
        "root-at-zero",
        "the slope of a root at 0",
        "x^g with g < 1 has no finite slope at x = 0, which 1 - p reaches by rounding",
        "write the power as exp(g logsigmoid(-s))",
    ),
    Cause(
        "no-gradient",
        "no gradient comes through",
        "the result is cut off from the scores: detach, item, numpy, or a comparison",
        "compute with operations that have a derivative",
    ),
    Cause(
        "nan-gradient",
        "the gradient is not a number",
        "where chooses a value but both branches are differentiated: 0 times nan is nan",
        "make the branch that is not taken safe before it is computed (where inside where)",
    ),
    # running
    Cause(
        "input-modified",
        "the input is changed",
        "an operation in place writes into the scores: the caller's array is another afterwards",
        "copy, or use operations that return a new array",
    ),
    Cause(
        "random-result",
        "the result is random",
        "two calls on the same numbers differ",
        "leave dropout and noise out of the loss",
    ),
    Cause(
        "device",
        "a fixed device",
        "a tensor is made on, or moved to, a device that the scores are not on",
        "make it with zeros_like or new_zeros, or with device=scores.device",
    ),
    Cause(
        "removed-name",
        "a name that is gone",
        "the library has no such name, or no such keyword, in this version",
        "use the name of today: float or np.float64 for np.float",
    ),
    Cause(
        "missing-library",
        "a library that is not installed",
        "the file imports what this Python has not",
        "install it where lossproof is installed",
    ),
    Cause(
        "runs-when-loaded",
        "the file is a program",
        "it does its work, or reads the command line, when it is loaded",
        'put what is to run under if __name__ == "__main__"',
    ),
    Cause(
        "never-ends",
        "it does not end",
        "no result within the time limit: a loop waits for what does not come",
        "bound the number of rounds; do not compare floats for equality",
    ),
    Cause(
        "memory",
        "out of memory",
        "an array is too large: often all pairs of labels at once",
        "use the factorised form, sums along the label axis",
    ),
    Cause(
        "shape",
        "shapes do not fit",
        "no way of calling it was found for which the shapes fit",
        "say how it is called: the options for layout, labels and axis",
    ),
)

CAUSES: Mapping[str, Cause] = {cause.id: cause for cause in _TABLE}
