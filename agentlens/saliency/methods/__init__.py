"""The saliency methods by class: ``agentlens.methods.Perturbation(radius=3)``.

Every method that the registry lists is a name of this module, those of other packages too, loaded
when it is first asked for; none of them imports torch before it is bound to a policy.
"""

from __future__ import annotations

from typing import Any

from agentlens.saliency.base import METHODS


def _plain(name: str) -> str:
    return name.replace("-", "").lower()


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    names = sorted(METHODS.names(), key=lambda listed: _plain(listed) != _plain(name))
    for listed in names:
        method = METHODS.load(listed)
        if method.__name__ == name:
            globals()[name] = method
            return method
    raise AttributeError(
        f"no saliency method {name!r}: there is {', '.join(sorted(map(_class_name, names)))}"
    )


def __dir__() -> list[str]:
    return sorted(map(_class_name, METHODS.names()))


def _class_name(listed: str) -> str:
    return METHODS.load(listed).__name__
