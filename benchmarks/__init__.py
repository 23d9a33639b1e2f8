"""What everything costs beside what else there is: ``python -m benchmarks``, ``lossproof bench``.

One run measures everything anew. Within a case the contenders take turns, round after round, so
that a slow moment of the machine falls on all of them; each is timed right after its yardstick:

    numbers    value and gradient of a batch (rows, n); ratio to a = b + c of NumPy on one core over
               arrays of the same size and dtype, which is what memory allows (3 arrays: a loss
               reads scores and labels and writes the gradient)
    symbols    derivations, proofs and emission; ratio to lossproof's time

The modules: `cases` what is measured, `contenders` by whom (`by_hand`, `frameworks`,
`subset_contenders`, `grid_contenders`, `symbolic`), `measure` how, `show` tables and pictures.
`digits` is an experiment about accuracy of trained models, not of time, and runs by itself.
"""
