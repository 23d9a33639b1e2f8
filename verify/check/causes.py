"""What goes wrong in such code, in plain words: why it does, and what to do.

The ids are those of the museum's cards; `likely_causes` finds them from what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from verify.check.cause import Cause
from verify.check.causes_in_code import CODE
from verify.check.causes_in_numbers import NUMBERS
from verify.check.diagnosis import likely_causes

__all__ = ["CAUSES", "Cause", "likely_causes"]

CAUSES: Mapping[str, Cause] = {cause.id: cause for cause in (*NUMBERS, *CODE)}
