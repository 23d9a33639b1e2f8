"""Faults of the formula, of gradients, and of what keeps code from running."""

from __future__ import annotations

from verify.check.cause import Cause

__all__ = ["CODE"]

CODE = (
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
        "alpha-for-both",
        "alpha weighs both sides alike",
        "positives and negatives are multiplied by the same alpha: another step size, no balance",
        "alpha for positives, 1 - alpha for negatives",
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
