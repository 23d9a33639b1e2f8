"""Formulas of the documents as printed, in symbols, and the numbers of counterexamples."""
