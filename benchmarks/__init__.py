"""What everything costs beside what else there is: ``python -m benchmarks``, ``lossproof bench``.

One run measures everything anew. Within a case the contenders take turns, round after round, so
that a slow moment of the machine falls on all of them; each is timed right after its yardstick:

    numbers    value and gradient of a batch (rows, n), or the value, or Hessian times vector; ratio
               to a = b + c over arrays of the same size and dtype, which is what memory allows (3
               arrays: a loss reads scores and labels and writes the gradient). NumPy's sum is run
               on one core and, in parts, on all; both ratios are given, and the one that is called
               `ratio` is to the faster of the two. a is there before: no page of it is new
    symbols    derivations, proofs and emission; ratio to lossproof's time

The modules: `cases` what is measured, `contenders` by whom (`by_hand`, `frameworks`,
`subset_contenders`, `grid_contenders`, `symbolic`), `measure` how, `show` tables and pictures.
`digits` is an experiment about accuracy of trained models, not of time, and runs by itself.
"""
