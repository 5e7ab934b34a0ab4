"""What a torch pickle says, found out without importing or running anything.

A state dict is a dict of tensors; the pickle in it may name four things: ``OrderedDict``, torch's
storage types and its tensor rebuilders. All are replaced by stand-ins here that only note what is
claimed; any other name is refused. The tensors are then built from these notes, so that what was
checked is what is used: the file is never handed to another reader.

The pure-Python unpickler is used, since the one in C sizes its memo by a number in the file. Steps
and keys are limited: a few hundred bytes of tuples that hold each other twice would take for ever
to hash or to print.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import torch

from agentlens.errors import CheckpointError, UnsafeCheckpoint

MAX_PICKLE_BYTES = 8 << 20
MAX_STEPS = 1_000_000
MAX_TENSORS = 20_000
MAX_KEY_LENGTH = 1_000
_MAX_ELEMENTS = 1 << 48

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
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
    """A storage that the pickle refers to: its key, kind and number of elements."""

    key: str
    elements: int
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Bytes."""
        return self.elements * self.dtype.itemsize


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
            elements than its storage holds, or is absurdly long.
        CheckpointError: it is broken.
    """
    scanner = _Scanner(stream, name)
    try:
        scanner.claims.content = scanner.load()
    except BROKEN_PICKLE as error:
        words = str(error)[:200]
        raise CheckpointError(
            f"{name}: not a torch state dict ({type(error).__name__}: {words})."
        ) from error
    return scanner.claims


class _Metered:
    """A stream that counts how often it is read: at least once for every step of a pickle."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name, self._steps = stream, name, 0

    def read(self, size: int = -1) -> bytes:
        self._count()
        return self._stream.read(size)

    def readline(self) -> bytes:
        self._count()
        return self._stream.readline(MAX_PICKLE_BYTES)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise UnsafeCheckpoint(
                f"{self._name}: its pickle takes more than {MAX_STEPS:,} steps; expected a state "
                "dict. Save the state_dict() alone, or as safetensors."
            )


class _Storage:
    """Stands for a storage type such as torch.FloatStorage."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


_REFUSED = (
    pickle.BYTEARRAY8,  # sizes a buffer by a number in the file
    pickle.EMPTY_SET,  # hash what they hold, and no state dict has one
    pickle.ADDITEMS,
    pickle.FROZENSET,
)


class _Scanner(pickle._Unpickler):
    """An unpickler that knows stand-ins only, and plain keys only."""

    dispatch = {  # noqa: RUF012 (as in the base class)
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if code not in {refused[0] for refused in _REFUSED}
    }

    def __init__(self, stream: IO[bytes], name: str) -> None:
        super().__init__(_Metered(stream, name), encoding="utf-8")
        self.name = name
        self.claims = Claims()
        self.tensors = 0
        self.stand_ins: dict[tuple[str, str], Callable[..., Any] | _Storage] = {
            ("collections", "OrderedDict"): self._ordered_dict,
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor_v2,
            ("torch._utils", "_rebuild_parameter"): self._parameter,
        }
        for storage, dtype in _DTYPES.items():
            self.stand_ins["torch", storage] = _Storage(dtype)

    def find_class(self, module: str, name: str) -> Any:
        """Give the stand-in for a name; nothing is ever imported."""
        if (module, name) not in self.stand_ins:
            raise UnsafeCheckpoint(
                f"{self.name}: loading it would run {module[:80]}.{name[:80]}; expected tensors "
                "only. Nothing was run. Save the state_dict() alone, or as safetensors."
            )
        return self.stand_ins[module, name]

    def load_build(self) -> None:
        """Leave out the attributes of an ordered dict (its metadata), and refuse all others.

        A claim that was checked could be rewritten this way.
        """
        stack: list[Any] = vars(self)["stack"]
        stack.pop()
        if not stack or not isinstance(stack[-1], OrderedDict):
            raise UnsafeCheckpoint(f"{self.name}: sets attributes on what is no state dict.")

    def load_setitem(self) -> None:
        """Set one item of a dict under a plain key."""
        stack: list[Any] = vars(self)["stack"]
        value, key = stack.pop(), stack.pop()
        self._put(stack[-1], [key, value])

    def load_setitems(self) -> None:
        """Set items of a dict under plain keys."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        self._put(vars(self)["stack"][-1], items)

    def load_dict(self) -> None:
        """Make a dict of plain keys."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        made: dict[Any, Any] = {}
        self._put(made, items)
        self.append(made)  # type: ignore[attr-defined]

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]
    dispatch[pickle.SETITEM[0]] = load_setitem  # type: ignore[assignment]
    dispatch[pickle.SETITEMS[0]] = load_setitems  # type: ignore[assignment]
    dispatch[pickle.DICT[0]] = load_dict  # type: ignore[assignment]

    def _put(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError("items set on what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int, bool, float, type(None)):
                raise UnsafeCheckpoint(f"{self.name}: a dict with a {type(key).__name__} as key.")
            if type(key) is str and len(key) > MAX_KEY_LENGTH:
                raise UnsafeCheckpoint(f"{self.name}: a key of {len(key):,} characters.")
            target[key] = value

    def _ordered_dict(self, *pairs: Any) -> OrderedDict[Any, Any]:
        made: OrderedDict[Any, Any] = OrderedDict()
        if len(pairs) > 1 or (pairs and not isinstance(pairs[0], list | tuple)):
            raise TypeError("an ordered dict of something else than pairs")
        for pair in pairs[0] if pairs else ():
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise TypeError("an ordered dict of something else than pairs")
            self._put(made, list(pair))
        return made

    def persistent_load(self, saved: Any) -> StorageClaim:
        """Note a storage: ("storage", type, key, location, elements, ...)."""
        if not isinstance(saved, tuple) or not 5 <= len(saved) <= 6 or type(saved[0]) is not str:
            raise UnsafeCheckpoint(f"{self.name}: refers to what is no storage.")
        kind, storage, key, _location, elements, *view = saved
        if kind != "storage" or not isinstance(storage, _Storage) or view not in ([], [None]):
            raise UnsafeCheckpoint(
                f"{self.name}: refers to a {kind[:80]!r}; expected plain storages."
            )
        if type(key) not in (str, int) or len(str(key)) > MAX_KEY_LENGTH:
            raise ValueError("a storage whose key is no name")
        if type(elements) is not int or elements < 0:
            raise ValueError("a storage whose size is no number of elements")
        if elements > _MAX_ELEMENTS:
            raise UnsafeCheckpoint(f"{self.name}: a storage of more than {_MAX_ELEMENTS:,}.")
        claim = StorageClaim(str(key), elements, storage.dtype)
        if self.claims.storages.setdefault(claim.key, claim) != claim:
            raise UnsafeCheckpoint(f"{self.name}: claims two sizes for storage {claim.key!r}.")
        return claim

    def _tensor_v2(
        self, storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any
    ) -> TensorClaim:
        if not 2 <= len(rest) <= 3 or type(rest[0]) is not bool or any(rest[1:]):
            raise ValueError("a tensor with hooks or metadata")
        return self._tensor(storage, offset, shape, stride)

    def _tensor(self, storage: Any, offset: Any, shape: Any, stride: Any) -> TensorClaim:
        if not isinstance(shape, tuple) or not isinstance(stride, tuple):
            raise TypeError("a tensor whose shape is no tuple")
        if not isinstance(storage, StorageClaim) or len(shape) != len(stride) or len(shape) > 16:
            raise ValueError("a tensor without storage or strides")
        if any(
            type(n) is not int or not 0 <= n <= _MAX_ELEMENTS for n in (offset, *shape, *stride)
        ):
            raise ValueError("a tensor whose shape, strides or offset are no sizes")
        self.tensors += 1
        if self.tensors > MAX_TENSORS:
            raise UnsafeCheckpoint(f"{self.name}: more than {MAX_TENSORS:,} tensors.")
        elements, last = 1, offset
        for size, step in zip(shape, stride, strict=True):
            elements *= size
            last += (size - 1) * step
        if elements and (elements > storage.elements or last >= storage.elements):
            raise UnsafeCheckpoint(
                f"{self.name}: claims a tensor of shape {shape} ({elements:,} elements), "
                f"but its storage holds {storage.elements:,}."
            )
        return TensorClaim(storage, offset, shape, stride)

    def _parameter(self, data: Any, *rest: Any) -> TensorClaim:
        if not isinstance(data, TensorClaim):
            raise TypeError("a parameter without data")
        return data
