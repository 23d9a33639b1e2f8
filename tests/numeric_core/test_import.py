"""What `import numeric_core` brings along, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOREIGN = ("sympy", "mpmath", "flint", "torch", "jax", "cupy", "dask", "derive", "verify", "scipy")


def run(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    ).stdout


def test_no_foreign_library_is_imported() -> None:
    loaded = run("import sys, numeric_core; print(*sys.modules)").split()
    assert not set(FOREIGN) & {name.split(".")[0] for name in loaded}


def test_import_costs_no_more_than_numpy(tmp_path: Path) -> None:
    code = (
        "from time import process_time as now; a = now(); import numpy; b = now();"
        "import numeric_core; c = now(); print((c - b) / (b - a))"
    )
    # pip compiles what it installs; a checkout may have no bytecode, and be forbidden to write it
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    run(code, **compiled)
    # CPU time, beside numpy's in the same process, the best of five: no machine is too slow or busy
    assert min(float(run(code, **compiled)) for _ in range(5)) < 1
