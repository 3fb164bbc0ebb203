"""Memory that tensors take, counted from what PyTorch is asked for; on the meta device it would be taken."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


def storage_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the tensors' storages, each counted once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())  # noqa: SLF001


class PeakMemory(TorchDispatchMode):
    """A context that counts the bytes of the tensors that operations in it make; a tensor counts until it is freed.

    Attributes:
        peak: the most that there were at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._live: dict[int, weakref.ref[Any]] = {}

    def __enter__(self) -> Self:
        """Begin to count."""
        super().__enter__()
        return self

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what it has made."""
        given: set[int] = set()
        tree_map_only(Tensor, lambda tensor: given.add(tensor.untyped_storage()._cdata), (args, kwargs))  # noqa: SLF001
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, lambda tensor: self._count(tensor, given), result)
        return result

    def _count(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()  # noqa: SLF001
        if key in given or key in self._live:  # a view, or an operation in place
            return

        def freed(_: Any) -> None:
            del self._live[key]
            self._now -= size

        self._live[key] = weakref.ref(storage, freed)
        self._now += size
        self.peak = max(self.peak, self._now)
