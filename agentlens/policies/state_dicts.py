"""Which of a file's dicts holds the policy, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from agentlens.errors import CheckpointError
from agentlens.policies.torchfile import TorchFile

T = TypeVar("T")

_COMMON = (
    "state_dict",
    "model_state_dict",
    "model_weights",
    "model",
    "policy",
    "policy_state_dict",
    "agent",
    "network",
    "q_network",
    "net",
    "params",
)
_COPIES = ("target", "ema", "old", "best")


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection(Generic[T]):
    """The tensors of one dict, what they fit, and what had to be assumed to choose it."""

    tensors: Mapping[str, Tensor]
    fit: T
    assumed: tuple[str, ...]


def plain_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without what wrappers add: ``module.`` (DataParallel) in front of all of them, and
    ``_orig_mod.`` (torch.compile) anywhere.

    Example:
        >>> list(plain_names({"q_net._orig_mod.0.weight": None}))
        ['q_net.0.weight']
    """
    plain = {
        ".".join(part for part in name.split(".") if part != "_orig_mod"): tensor
        for name, tensor in tensors.items()
    }
    while plain and all(name.startswith("module.") for name in plain):
        plain = {name.removeprefix("module."): tensor for name, tensor in plain.items()}
    return plain if len(plain) == len(tensors) else dict(tensors)


def select(file: TorchFile, fits: Callable[[Mapping[str, Tensor]], T | None]) -> Selection[T]:
    """Choose the dict of a file that fits.

    Args:
        file: what was read.
        fits: says what some tensors are, ``None`` if they are not what is looked for.

    Raises:
        CheckpointError: none fits, or several that nothing tells apart; names them.
    """
    fitting: dict[str, tuple[Mapping[str, Tensor], T]] = {}
    for path, tensors in _candidates(file):
        fit = fits(tensors) if path not in fitting else None
        if fit is not None:
            fitting[path] = (tensors, fit)
    if not fitting:
        raise CheckpointError(f"{file.name}: {_contents(file)}")
    path = _preferred(list(fitting), file.name)
    chosen, fit = fitting[path]
    others = [other for other in file.dicts if other != path]
    assumed: tuple[str, ...] = ()
    if others:
        assumed = (
            f"weights = those under {path or 'the top'!r}: the file also holds tensors under "
            f"{', '.join(repr(o or 'the top') for o in others[:4])}",
        )
    return Selection(tensors=chosen, fit=fit, assumed=assumed)


def _candidates(file: TorchFile) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Each dict with all below it, then without."""
    for path in dict.fromkeys(("", *file.dicts)):
        below = {
            name[len(path) + bool(path) :]: tensor
            for name, tensor in file.tensors.items()
            if not path or name.startswith(f"{path}.")
        }
        yield path, plain_names(below)
        inner = [
            f"{other[len(path) + bool(path) :]}."
            for other in file.dicts
            if other != path and (not path or other.startswith(f"{path}."))
        ]
        if inner:
            own = {n: t for n, t in below.items() if not n.startswith(tuple(inner))}
            yield path, plain_names(own)


def _preferred(paths: list[str], name: str) -> str:
    """The path that is no copy and has the commonest name, if one has."""
    if len(paths) == 1:
        return paths[0]
    own = [p for p in paths if not any(copy in p.lower() for copy in _COPIES)] or paths
    known = [p for p in _COMMON if p in own]
    if len(own) > 1 and len(known) != 1:
        raise CheckpointError(
            f"{name}: several dicts hold such a policy ({', '.join(map(repr, own))}); name the one "
            "meant in a manifest's [sources], with its path in front, or save it alone."
        )
    return known[0] if len(own) > 1 else own[0]


def _contents(file: TorchFile) -> str:
    if not file.tensors:
        return "no dict of tensors in it; expected a state dict."
    names = ", ".join(list(file.tensors)[:8])
    more = " ..." if len(file.tensors) > 8 else ""
    spread = f"{len(file.dicts)} dicts of tensors" if len(file.dicts) > 1 else "the tensors"
    return (
        f"no known layout has {spread} {names}{more}; describe the network in a manifest "
        f"([network] chains and [sources]).{_out_of_scope(file)}"
    )


def _out_of_scope(file: TorchFile) -> str:
    """What a manifest cannot mend either."""
    if any(name.endswith(("log_std", "logstd", "actor_logstd")) for name in file.tensors):
        return " It has a Gaussian head: continuous actions are out of scope."
    if not any(tensor.ndim == 4 for tensor in file.tensors.values()):
        return (
            " It has no convolution: policies on RAM or feature vectors are out of scope, as "
            "there is no picture to explain."
        )
    return ""
