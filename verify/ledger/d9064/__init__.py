"""Document 9064, the multi-label loss for soft labels: each statement with a verdict.

Formulas are in :mod:`~verify.ledger.d9064.equations`, what is said about them in
:mod:`~verify.ledger.d9064.original` and :mod:`~verify.ledger.d9064.conclusions`, remarks and what
follows after section 11 in the others.
"""

from __future__ import annotations

from verify.ledger.d9064 import conclusions, equations, information, original, remarks, views

__all__ = ["ENTRIES"]

#: The ids in the order of the text, which the modules divide by what is said.
IN_ORDER = """
a b c d e f g h i1 i2 j k l m n o p q r s t u v w 1 2 3 4 5 6 6b 7 7b 8 8b 9 10 11 12 13 14
15 15b 16 16b 16c 17 18 19 20 21 22 23 24 25 26 26b 27 28 28b 29 30 30b 31 32 33 33b 34 34b
35 35b 36 36b 37 37b 38 39 39b 39c 39d 40 41 41b 41c 42 43 44 45 45b S12a 46 S12b 47 48 49
S13a S13b 50 S14a S14b S14c S15a S15b S15c S15d 51 S16a 52 53 S16b 54 55 S17a 56 S17b S17c
57 S18a S18b 58 59 S19a S19b S19c S19d S19e S20a S20b REF
"""
_PARTS = (equations, original, conclusions, remarks, views, information)
_READ = {f"9064-{number}": place for place, number in enumerate(IN_ORDER.split())}

ENTRIES = tuple(
    sorted((entry for part in _PARTS for entry in part.ENTRIES), key=lambda entry: _READ[entry.id])
)
