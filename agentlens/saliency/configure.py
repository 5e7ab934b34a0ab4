"""From a method's name and a few options to a configured method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from agentlens.errors import InvalidArgument, ManifestError
from agentlens.mapping import decode
from agentlens.saliency.base import METHODS, SaliencyMethod
from agentlens.saliency.references import parse_reference


def configure(
    method: str | SaliencyMethod, options: Mapping[str, object]
) -> tuple[str, SaliencyMethod]:
    """The method's public name and the method with these options.

    Args:
        method: a name, or a configured method, which then takes no further options.
        options: by field name, sequences as tuples; None leaves the method's own default.

    Raises:
        UnknownName: no such method.
        InvalidArgument: the method lacks an option, or an option's value is impossible.
    """
    given = {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in options.items()
        if value is not None
    }
    if isinstance(method, SaliencyMethod):
        if given:
            raise InvalidArgument(
                f"{', '.join(given)} given beside a configured {type(method).__name__}: "
                "set them on the method itself."
            )
        return method_name(method), method
    cls = METHODS.load(method)
    known = [field.name for field in dataclasses.fields(cls)]
    for name in given:
        if name not in known:
            has = f"its options are {', '.join(known)}" if known else "it has no options"
            raise InvalidArgument(f"method {method!r} has no option {name!r}: {has}.")
    return method, _checked(method, cls, given)


def _checked(name: str, cls: type[SaliencyMethod], given: Mapping[str, object]) -> SaliencyMethod:
    """The method with these options, each of the kind that its field says."""
    try:
        return decode(cls, given, name)
    except ManifestError as error:
        if isinstance(error.__cause__, InvalidArgument):
            raise error.__cause__ from None
        raise InvalidArgument(str(error)) from None


def method_name(method: SaliencyMethod) -> str:
    """The public name of a method: its file's."""
    return type(method).__module__.rpartition(".")[2].replace("_", "-")


def options_of(method: SaliencyMethod) -> dict[str, object]:
    """Every option with its value, as a map set's header keeps them.

    Tuples are lists, and references say their number, so that "blur" and "blur:3" are one.
    """
    options: dict[str, object] = {}
    for name, value in vars(method).items():
        if name == "reference":
            value = str(parse_reference(value))
        options[name] = list(value) if isinstance(value, tuple) else value
    return options
