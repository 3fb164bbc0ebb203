"""Machine on which models run: its device and memory, its processor's half precision, its network."""

from __future__ import annotations

import ctypes
import platform
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import psutil
from huggingface_hub import constants

from hypersd.models.network import reachable
from hypersd.utils.environment import Backend, Environment

_CPU_INFO = Path("/proc/cpuinfo")
_CGROUP = Path("/sys/fs/cgroup")
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16"}
"""Names under which Linux lists a processor's bfloat16 arithmetic, on x86 and on ARM."""

_ZERO_GPU_GB = 45.0
"""Memory of weights up to which ZeroGPU gives half of a card (48 GB); more takes twice a visitor's quota."""


class _Network(TypedDict):
    offline: bool
    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Machine on which models run.

    Args:
        device: `"cuda"`, `"mps"` or `"cpu"`.
        precision: `"float32"` or `"float16"`: of a family that fits, see `hypersd.models.cpu_precision` for a CPU.
        memory_gb: of the device: a GPU's own memory; for a CPU, the memory that was free.
        bfloat16: the processor computes in bfloat16, so that a CPU can hold a large family in half precision.
        offline: downloads are not allowed.
        cache: the Hub's cache.
        hub: the Hub's address.
        backend: library that runs the UNets; a GPU's is always PyTorch.
        graphs: folder of the graphs that OpenVINO compiles.
        most_unets: number of UNets held at a time beside the base's; None is as many as fit. A further one is put
            together again when its turn comes.
    """

    device: str
    precision: str
    memory_gb: float
    offline: bool
    cache: Path
    bfloat16: bool = False
    hub: str = constants.ENDPOINT
    backend: Backend = "torch"
    graphs: Path = Path("data", "graphs")
    most_unets: int | None = None

    @classmethod
    def here(cls) -> Machine:
        """This machine, as torch and the environment (`HF_HUB_OFFLINE`, `HF_HUB_CACHE`, `HF_ENDPOINT`) describe it.

        Raises:
            ValueError: a variable has an invalid value, or names a backend that is not installed.
        """
        if has_gpu_driver():
            import torch  # noqa: PLC0415 - takes seconds, and only it can tell what a GPU can do

            if torch.cuda.is_available():
                return cls._with_gpu("cuda", torch.cuda.get_device_properties(0).total_memory / 1e9)
            if torch.backends.mps.is_available():
                return cls._with_gpu("mps", torch.mps.recommended_max_memory() / 1e9)
        return cls.cpu()

    @classmethod
    def cpu(cls) -> Machine:
        """This machine without its GPU, with the backend of `HYPERSD_BACKEND`.

        Raises:
            ValueError: a variable has an invalid value, or names a backend that is not installed.
        """
        memory_gb, bfloat16, environment = free_memory() / 1e9, has_bfloat16(), Environment.read()
        machine = cls(device="cpu", precision="float32", memory_gb=memory_gb, bfloat16=bfloat16, **_network())
        return replace(machine, graphs=environment.data / "graphs").with_backend(environment.backend)

    def with_backend(self, backend: Backend) -> Machine:
        """This machine with another backend.

        Raises:
            ValueError: it is not installed, or the machine draws on a GPU.
        """
        if backend != "torch" and self.device != "cpu":
            raise ValueError(
                f"the backend {backend} runs on a CPU, and this machine draws on {self.device}; choose torch instead"
            )
        if backend != "torch" and find_spec("openvino") is None:
            raise ValueError(
                f"the backend {backend} needs OpenVINO, which is not installed; run `pip install openvino`, or choose "
                "the backend torch"
            )
        return replace(self, backend=backend)

    @classmethod
    def zero_gpu(cls) -> Machine:
        """A Space with ZeroGPU, whose GPU can be asked for its memory only within a visitor's call.

        Raises:
            ValueError: a variable has an invalid value.
        """
        return cls._with_gpu("cuda", _ZERO_GPU_GB)

    @classmethod
    def _with_gpu(cls, device: str, memory_gb: float) -> Machine:
        return cls(device=device, precision="float16", memory_gb=memory_gb, **_network())

    @property
    def online(self) -> bool:
        """True if downloads are allowed and the Hub answers (checked once a minute)."""
        return not self.offline and reachable(self.hub)

    @property
    def memory_kind(self) -> str:
        """Name of the memory that models need here, for messages."""
        return "free memory" if self.device == "cpu" else "GPU memory"


def _network() -> _Network:
    return {"offline": Environment.read().offline, "cache": Path(constants.HF_HUB_CACHE)}


def has_gpu_driver() -> bool:
    """True if this machine has a GPU driver for torch: NVIDIA's, AMD's, or macOS."""
    if sys.platform == "darwin" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def has_bfloat16(cpu_info: Path = _CPU_INFO) -> bool:
    """True if the processor lists bfloat16 arithmetic; Apple's processors since the M2 have it, older ones do not."""
    if not cpu_info.exists():
        return sys.platform == "darwin" and platform.machine() == "arm64"
    return not _BFLOAT16_FLAGS.isdisjoint(cpu_info.read_text(encoding="utf-8", errors="replace").split())


def free_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes that a process can still take: what the system has free, or less where a container has a limit."""
    free = psutil.virtual_memory().available
    try:
        limit, used = (int((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no control group of version 2, or "max": no limit
        return free
    return min(free, max(0, limit - used))
