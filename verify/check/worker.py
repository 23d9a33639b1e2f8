"""The process that foreign code runs in: requests on stdin, a line each; lines of JSON into a pipe.

{"stage": "..."}       what it is at
{"result": {...}}      the end of a check
{"problem": "..."}     bad input
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, TextIO

from verify.check.examine import Options, examine
from verify.check.libraries import settle_keras
from verify.check.sandbox import CallLimit

MEGABYTE = 1 << 20


def main() -> None:
    """Answer requests until there are no more."""
    pipe = os.fdopen(os.dup(int(sys.argv[1])), "w", encoding="utf-8")
    os.close(int(sys.argv[1]))
    sys.path.append(os.getcwd())
    settle_keras()
    for line in sys.stdin:
        _answer(json.loads(line), pipe)
    pipe.close()
    os._exit(0)  # what foreign code left to be done at exit is not done


def _answer(request: dict[str, Any], pipe: TextIO) -> None:
    """Limit this process, check, say what came out."""
    _limit(request["memory_limit"])

    def say(**message: Any) -> None:
        pipe.write(json.dumps(message) + "\n")
        pipe.flush()

    try:
        result = examine(
            request["target"],
            request["against"],
            Options(**request["options"]),
            guard=CallLimit(),
            load_guard=CallLimit(request["time_limit"]),
            progress=lambda stage: say(stage=stage),
        )
        say(result=result.as_dict())
    except (ValueError, ImportError) as error:
        say(problem=str(error))


def _limit(megabytes: int) -> None:
    """So much data and no core file; RLIMIT_DATA counts what is written to, not what is mapped."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
