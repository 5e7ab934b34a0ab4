"""Plug-ins found by file name and imported on demand.

A plug-in is one module in a folder of the package (``saliency/methods``, ``policies/formats``,
``metrics``, ``render/panels``, ``cli``) that has one attribute of the folder's agreed name
(``METHOD``, ``FORMAT``, ``METRIC``, ``PANEL``, ``VERB``). Its public name is the file's, with
hyphens for underscores and a trailing underscore (``import_``) left out; a file whose name begins
with an underscore is not a plug-in. Listing names imports none of them.
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
        return tuple(sorted(self._modules()))

    def load(self, name: str) -> Any:
        """Import one plug-in.

        Raises:
            UnknownName: no such file; the message lists the nearest names.
        """
        modules = self._modules()
        if name not in modules:
            raise UnknownName(self.kind, name, modules)
        return getattr(importlib.import_module(f"{self.package}.{modules[name]}"), self.attribute)

    def _modules(self) -> dict[str, str]:
        paths = importlib.import_module(self.package).__path__
        found = (m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_"))
        return {name.rstrip("_").replace("_", "-"): name for name in found}
