"""The flags of saliency methods: `--method NAME` decides which there are.

A command that takes a method has a field of type ``MethodFlags`` in its options. Before its flags
are read, ``with_method_flags`` puts the fields of the chosen method's dataclass in that place, each
with its type, default and the note below it; ``configured`` makes the method of them.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from agentlens.workflows.notes import notes_of

if TYPE_CHECKING:
    from agentlens.saliency.base import SaliencyMethod

DEFAULT = "perturbation"
_FLAG = "--method"


@dataclass(frozen=True, kw_only=True)
class MethodFlags:
    """Which saliency maps. The flags below are those of the chosen method."""

    method: str = DEFAULT
    """Saliency method; `agentlens methods` lists them, and each has flags of its own: see them with
    --method NAME --help."""

    def configured(self) -> SaliencyMethod:
        """The method with the options that were given."""
        from agentlens.saliency.base import METHODS

        cls = METHODS.load(self.method)
        return cls(**{option.name: getattr(self, option.name) for option in _options(cls)})


def with_method_flags(options: type, words: Sequence[str]) -> type:
    """A command's options with the flags of the method that its words choose.

    Args:
        options: the command's dataclass; returned as it is where it takes no method.
        words: the command line after the command's name.

    Raises:
        UnknownName: no such method; the message lists the nearest ones.
    """
    hints = typing.get_type_hints(options, include_extras=True)
    fields = {name: kind for name, kind in hints.items() if kind is MethodFlags}
    if not fields:
        return options
    taken = set(_flag_names(hints))
    (place,) = fields
    name = _chosen(words)
    flags = _method_flags(name, taken)
    field = dataclasses.field(default_factory=lambda: flags(method=name))
    narrowed = dataclasses.make_dataclass(
        options.__name__, [(place, flags, field)], bases=(options,), frozen=True, kw_only=True
    )
    narrowed.__doc__ = options.__doc__
    return narrowed


def _chosen(words: Sequence[str]) -> str:
    """The method that a command line names, wherever it names it."""
    for word, following in pairwise([*words, ""]):
        if word == _FLAG and following and not following.startswith("--"):
            return following
        if word.startswith(f"{_FLAG}="):
            return word.removeprefix(f"{_FLAG}=")
    return DEFAULT


def _flag_names(hints: dict[str, Any]) -> Iterator[str]:
    """The names of a command's own flags, those of its groups included."""
    for name, kind in hints.items():
        if dataclasses.is_dataclass(kind):
            yield from _flag_names(typing.get_type_hints(kind, include_extras=True))
        else:
            yield name


def _method_flags(name: str, taken: set[str]) -> type[MethodFlags]:
    """A dataclass of the method's options as flags; one whose name the command has itself gets
    the method's name before its own."""
    from agentlens.saliency.base import METHODS

    cls = METHODS.load(name)
    hints, notes = typing.get_type_hints(cls), notes_of(cls)
    fields: list[tuple[str, Any, Any]] = []
    for option in _options(cls):
        flag = f"{name}-{option.name}" if option.name in taken else option.name
        details = tyro.conf.arg(
            name=flag.replace("_", "-"),
            help=notes.get(option.name, ""),
            metavar=_metavar(hints[option.name], option),
            help_behavior_hint="" if option.default is None else None,
        )
        fields.append((option.name, Annotated[hints[option.name], details], _default(option)))
    flags = dataclasses.make_dataclass(
        f"{cls.__name__}Flags", fields, bases=(MethodFlags,), frozen=True, kw_only=True
    )
    paper = "" if cls.paper == "none" else f" ({cls.paper})"
    flags.__doc__ = f"{name}: {cls.summary}{paper}. Known weakness: {cls.weakness}."
    return flags


def _options(cls: type) -> list[dataclasses.Field[Any]]:
    return [option for option in dataclasses.fields(cls) if option.init]


def _default(option: dataclasses.Field[Any]) -> Any:
    if option.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=option.default_factory)
    return option.default


def _metavar(hint: Any, option: dataclasses.Field[Any]) -> str | None:
    """How a flag that may be left out is shown: without "None", which nobody types."""
    if option.default is not None:
        return None
    (kind, *_) = (k for k in typing.get_args(hint) if k is not type(None))
    if typing.get_origin(kind) is tuple:
        return "NAME ..."
    return {float: "NUMBER", int: "INT", str: "NAME"}.get(kind, "VALUE")
