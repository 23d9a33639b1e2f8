"""One module a loss family; the same names as in `derive.losses`."""
