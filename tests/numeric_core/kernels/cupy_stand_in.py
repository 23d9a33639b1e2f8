"""CuPy without a GPU: arrays are NumPy's, kernels are compiled by g++ and run thread by thread."""

from __future__ import annotations

import ctypes
import importlib.machinery
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from numeric_core.kernels.cuda import source

GXX = shutil.which("g++")
HERE = Path(__file__).parent
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", f"-I{HERE}")

#: Shared memory that a block of the device can have: as on an H200.
ATTRIBUTES = {"MaxSharedMemoryPerBlockOptin": 232_448}
LAUNCHED: list[tuple[str, int, int]] = []


class Device:
    """The one device that there is."""

    id = 0

    def __init__(self, number: int = 0) -> None:
        assert number == 0

    attributes = ATTRIBUTES
    compute_capability = "90"
    mem_info = (1 << 23, 1 << 23)

    def synchronize(self) -> None:
        """Kernels have run when their launch returns."""

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        return None


DEVICE = Device()


class ndarray(np.ndarray):
    """As far as kernels ask: on a device, at an address."""

    __module__ = "cupy"
    device = DEVICE

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.ctypes.data)


class Kernel:
    """A kernel that is launched as CuPy launches its own."""

    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self.name, self.run = name, getattr(library, f"run_{name}")

    def __call__(self, grid: Any, block: Any, arguments: Any, *, shared_mem: int) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes <= 232_448
        kept = [np.uint64(x.ctypes.data) if isinstance(x, ndarray) else x for x in arguments]
        boxes = [np.array([x]) for x in kept]
        pointers = (ctypes.c_void_p * len(boxes))(*(box.ctypes.data for box in boxes))
        LAUNCHED.append((self.name, *grid, *block))
        self.run(ctypes.c_uint(*grid), ctypes.c_uint(*block), pointers)


class RawModule:
    """The kernels of a binary."""

    def __init__(self, *, path: str) -> None:
        self.library = ctypes.CDLL(path)

    def get_function(self, name: str) -> Kernel:
        """By its name."""
        return Kernel(self.library, name)


class NVRTCError(RuntimeError):
    """What NVRTC raises."""


def nvrtc() -> Any:
    """NVRTC, as far as it is used: a program is its text."""

    def check(text: str, options: tuple[str, ...]) -> None:
        assert options == (*source.OPTIONS, "--gpu-architecture=sm_90")
        if "typo" in text:
            raise NVRTCError

    return SimpleNamespace(
        NVRTCError=NVRTCError,
        getSupportedArchs=lambda: (75, 80, 90, 100),
        getVersion=lambda: (13, 0),
        createProgram=lambda text, name, headers, names: text,
        compileProgram=check,
        getCUBIN=built,
        getProgramLog=lambda text: "line 1: typo",
        destroyProgram=lambda text: None,
    )


@cache
def built(code: str) -> bytes:
    """What only a device has is replaced by that of `cuda_on_host.h`."""
    of_device = source._text("device.cuh")
    assert code.startswith(of_device)
    names = re.findall(r"^KERNEL\((\w+), ", code, re.MULTILINE)
    assert len(names) in (1, 7)
    runs = "".join(
        f'extern "C" void run_{name}(unsigned blocks, unsigned threads, void **arguments)\n'
        f"{{\n    launch({name}, blocks, threads, arguments);\n}}\n"
        for name in names
    )
    with TemporaryDirectory(prefix="cuda_on_host_") as folder:
        text = '#include "cuda_on_host.h"\n' + code.removeprefix(of_device) + runs
        (Path(folder) / "host.cpp").write_text(text)
        command = [str(GXX), *FLAGS, "host.cpp", "-o", "host.so"]
        subprocess.run(command, cwd=folder, check=True)
        return (Path(folder) / "host.so").read_bytes()


def asarray(x: Any) -> ndarray:
    """A NumPy array as if it were on the device."""
    return np.asarray(x).view(ndarray)


def stand_in() -> ModuleType:
    """The module, to be put at sys.modules["cupy"]."""
    module = ModuleType("cupy")
    module.__spec__ = importlib.machinery.ModuleSpec("cupy", None)

    def lifted(name: str) -> Any:
        return lambda *given, **named: asarray(getattr(np, name)(*given, **named))

    names = ("empty", "zeros", "moveaxis", "flatnonzero", "ascontiguousarray", "may_share_memory")
    for name in names:
        setattr(module, name, lifted(name))
    module.ndarray, module.generic = ndarray, np.generic
    module.asarray, module.RawModule, module.copyto = asarray, RawModule, np.copyto
    module.cuda = SimpleNamespace(Device=Device, is_available=lambda: True, nvrtc=nvrtc())
    return module
