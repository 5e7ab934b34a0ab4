"""Where a policy is, the settings under which every engine runs, and how memory runs out."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import torch
from torch import nn

_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "bad_alloc",
    "could not create a memory object",
)
"""How CUDA, torch's allocator, the standard library and oneDNN say it."""


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's weights; the CPU where it has none."""
    return next((t.device for t in _tensors(module)), torch.device("cpu"))


def dtype_of(module: nn.Module) -> torch.dtype:
    """The floating type of a module's weights; float32 where it has none."""
    return next((t.dtype for t in _tensors(module) if t.is_floating_point()), torch.float32)


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    return itertools.chain(module.parameters(), module.buffers())


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Full float32 products on every device (no TF32), and the former setting afterwards."""
    convolution, product = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolution
        torch.backends.cuda.matmul.allow_tf32 = product


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run torch's operations on ``count`` threads; 0 leaves torch's own choice."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count:
            torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
