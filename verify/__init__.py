"""Does the fast route give the true number?  The oracle, the samples, the measure.

This package stands above `derive` and `numeric_core` and may import both; `verify.oracle` imports
neither, because a reference that shares code with what it judges judges nothing.
"""
