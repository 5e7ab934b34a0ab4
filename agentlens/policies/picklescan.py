"""What a torch pickle would build, found out without building or importing anything.

A state dict is a dict of tensors; the pickle in it may name four things: ``OrderedDict``, torch's
storage types and its two tensor rebuilders. All are replaced by stand-ins here that only note what
is claimed; any other name is refused before anything is loaded. The pure-Python unpickler is used,
since the one in C sizes its memo by a number in the file.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from agentlens.errors import CheckpointError, UnsafeCheckpoint

MAX_PICKLE_BYTES = 16 << 20
MAX_TENSORS = 20_000

_ITEM_BYTES = {
    "FloatStorage": 4,
    "DoubleStorage": 8,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}

BROKEN_PICKLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    struct.error,
)
"""What Python's unpickler raises for a broken pickle."""


@dataclass(frozen=True)
class StorageClaim:
    """A storage that the pickle refers to: its key and how many bytes it should hold."""

    key: str
    elements: int
    item_bytes: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.elements * self.item_bytes


@dataclass(frozen=True)
class TensorClaim:
    """A tensor that the pickle would build: a view of a storage."""

    storage: StorageClaim
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass
class Claims:
    """All that a pickle claims: what it would build, and the storages behind it by key."""

    content: Any = None
    storages: dict[str, StorageClaim] = field(default_factory=dict)


def scan_pickle(stream: IO[bytes], name: str) -> Claims:
    """Read one pickle of a torch file and check its claims against each other.

    Leaves the stream behind the pickle.

    Args:
        stream: at the start of the pickle.
        name: of the file, for messages.

    Raises:
        UnsafeCheckpoint: the pickle names something else than tensors, or a tensor with more
            elements than its storage holds.
        CheckpointError: it is broken.
    """
    scanner = _Scanner(stream, name)
    try:
        scanner.claims.content = scanner.load()
    except BROKEN_PICKLE as error:
        raise CheckpointError(
            f"{name}: not a torch state dict ({type(error).__name__}: {error})."
        ) from error
    return scanner.claims


class _Storage:
    """Stands for a storage type such as torch.FloatStorage."""

    __slots__ = ("item_bytes",)

    def __init__(self, item_bytes: int) -> None:
        self.item_bytes = item_bytes


class _Scanner(pickle._Unpickler):
    """An unpickler that knows stand-ins only."""

    dispatch = {  # noqa: RUF012 (as in the base class)
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if code != pickle.BYTEARRAY8[0]  # sizes a buffer by a number in the file
    }

    def __init__(self, stream: IO[bytes], name: str) -> None:
        super().__init__(stream)
        self.name = name
        self.claims = Claims()
        self.tensors = 0
        self.stand_ins: dict[tuple[str, str], Callable[..., Any] | _Storage] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): self._parameter,
        }
        for storage, item_bytes in _ITEM_BYTES.items():
            self.stand_ins["torch", storage] = _Storage(item_bytes)

    def find_class(self, module: str, name: str) -> Any:
        """Give the stand-in for a name; nothing is ever imported."""
        if (module, name) not in self.stand_ins:
            raise UnsafeCheckpoint(
                f"{self.name}: loading it would run {module}.{name}; expected tensors only. "
                "Nothing was run. Save the state_dict() alone, or as safetensors."
            )
        return self.stand_ins[module, name]

    def load_build(self) -> None:
        """Set attributes on an ordered dict (its metadata) and on nothing else.

        A claim that was checked could be rewritten this way.
        """
        stack: list[Any] = vars(self)["stack"]
        if len(stack) < 2 or not isinstance(stack[-2], OrderedDict):
            raise UnsafeCheckpoint(f"{self.name}: sets attributes on what is no state dict.")
        pickle._Unpickler.dispatch[pickle.BUILD[0]](self)  # type: ignore[arg-type]

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]

    def persistent_load(self, saved: Any) -> StorageClaim:
        """Note a storage: ("storage", type, key, location, elements, ...)."""
        kind, storage, key, _location, elements, *view = saved
        if kind != "storage" or not isinstance(storage, _Storage) or any(view):
            raise UnsafeCheckpoint(f"{self.name}: refers to a {kind!r}; expected plain storages.")
        if type(elements) is not int or elements < 0:
            raise ValueError(f"a storage of {elements!r} elements")
        claim = StorageClaim(str(key), elements, storage.item_bytes)
        if self.claims.storages.setdefault(claim.key, claim) != claim:
            raise UnsafeCheckpoint(f"{self.name}: claims two sizes for storage {claim.key!r}.")
        return claim

    def _tensor(
        self, storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any
    ) -> TensorClaim:
        if not 2 <= len(rest) <= 3 or type(rest[0]) is not bool or any(rest[1:]):
            raise ValueError("a tensor with hooks or metadata")
        numbers = (offset, *shape, *stride)
        if not isinstance(storage, StorageClaim) or len(shape) != len(stride):
            raise ValueError("a tensor without storage or strides")
        if any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError(f"a tensor of shape {shape} and strides {stride}")
        self.tensors += 1
        if self.tensors > MAX_TENSORS:
            raise UnsafeCheckpoint(f"{self.name}: more than {MAX_TENSORS:,} tensors.")
        elements, last = 1, offset
        for size, step in zip(shape, stride, strict=True):
            elements *= size
            last += (size - 1) * step
        if elements and (elements > storage.elements or last >= storage.elements):
            raise UnsafeCheckpoint(
                f"{self.name}: claims a tensor of shape {tuple(shape)} ({elements:,} elements), "
                f"but its storage holds {storage.elements:,}."
            )
        return TensorClaim(storage, offset, tuple(shape), tuple(stride))

    def _parameter(self, data: Any, *rest: Any) -> TensorClaim:
        if not isinstance(data, TensorClaim):
            raise TypeError("a parameter without data")
        return data
