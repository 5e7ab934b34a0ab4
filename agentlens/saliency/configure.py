"""From a method's name, or a method of the caller's own, to a checked method and its name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import Any

from agentlens.errors import InvalidArgument, ManifestError
from agentlens.mapping import decode
from agentlens.saliency.base import METHODS, SaliencyMethod
from agentlens.saliency.references import parse_reference

_NAMED_CHARACTERS = 48


_EXPECTED = (
    "method {!r}: expected a name, or a method such as agentlens.methods.Perturbation(radius=3)."
)


def configure(method: object) -> SaliencyMethod:
    """The method of a name with its defaults, or the given one with every option checked.

    Args:
        method: a name, or a method; anything else is refused.

    Raises:
        UnknownName: no such method.
        InvalidArgument: an option of the wrong kind or an impossible value, or no method at all.
    """
    if isinstance(method, str):
        return METHODS.load(method)()
    unknown: object = method
    if not isinstance(unknown, SaliencyMethod):
        raise InvalidArgument(_EXPECTED.format(method))
    return _checked(unknown)


def _checked(method: SaliencyMethod) -> SaliencyMethod:
    """The method with each option of the kind that its field says."""
    cls: Any = type(method)
    if not dataclasses.is_dataclass(cls):
        raise InvalidArgument(_EXPECTED.format(method))
    options = {f.name: getattr(method, f.name) for f in dataclasses.fields(cls) if f.init}
    try:
        return decode(type(method), options, method_name(method))
    except ManifestError as error:
        if isinstance(error.__cause__, InvalidArgument):
            raise error.__cause__ from None
        raise InvalidArgument(str(error)) from None


def method_name(method: SaliencyMethod) -> str:
    """The public name of a method: the registry's, or its class's where it is in no registry.

    Raises:
        InvalidArgument: an unregistered class whose name is that of a registered method.

    Example:
        A class ``MyMethod`` defined in a notebook is "my-method".
    """
    cls = type(method)
    registered = METHODS.name_of(cls)
    if registered is not None:
        return registered
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__).lower()
    if name in METHODS.names():
        raise InvalidArgument(
            f"the class {cls.__name__} of {cls.__module__} would be called {name!r}, and there is "
            "another method of that name: give the class another one."
        )
    return name


def options_of(method: SaliencyMethod) -> dict[str, object]:
    """Every option with its value, as a map set's header keeps them.

    Tuples are lists, and references say their number, so that "blur" and "blur:3" are the same.
    """
    return {name: _plain(name, value) for name, value in vars(method).items()}


def _plain(name: str, value: object) -> object:
    if name == "reference" and isinstance(value, str):
        return str(parse_reference(value))
    return list(value) if isinstance(value, tuple) else value


def folder_name(method: SaliencyMethod) -> str:
    """A name for a folder of this method's maps: "perturbation" where every option is the default,
    else with what differs and a digest, "perturbation-radius-3-5d41a2"."""
    name, options = method_name(method), options_of(method)
    changed = [
        f"{field.name}-{options[field.name]}"
        for field in dataclasses.fields(method)  # type: ignore[arg-type]
        if field.init and options[field.name] != _plain(field.name, field.default)
    ]
    if not changed:
        return name
    words = re.sub(r"[^A-Za-z0-9.+]+", "-", "-".join(changed)).strip("-")[:_NAMED_CHARACTERS]
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()
    return f"{name}-{words.strip('-')}-{digest[:6]}"
