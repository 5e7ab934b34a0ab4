"""Plug-ins found by file name and imported on demand.

A plug-in is one module in a folder of the package (``saliency/methods``, ``policies/formats``,
``metrics``, ``render/panels``) that has one attribute of the folder's agreed name (``METHOD``,
``FORMAT``, ``METRIC``, ``PANEL``). Its public name is the file's, with hyphens for underscores.
Listing names imports nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from agentlens.errors import UnknownName


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The plug-ins of one package.

    ``package``: dotted name. ``attribute``: what each module exports. ``kind``: for messages.
    """

    package: str
    attribute: str
    kind: str

    def names(self) -> tuple[str, ...]:
        """Public names in alphabetical order; imports the package but none of its modules."""
        paths = importlib.import_module(self.package).__path__
        found = (m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_"))
        return tuple(sorted(name.replace("_", "-") for name in found))

    def load(self, name: str) -> Any:
        """Import one plug-in.

        Raises:
            UnknownName: no such file; the message lists the nearest names.
        """
        if name not in self.names():
            raise UnknownName(self.kind, name, self.names())
        module = importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
        return getattr(module, self.attribute)
