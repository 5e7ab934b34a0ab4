"""Plug-ins found by file name or by entry point, and imported on demand.

A plug-in of this package is one module in a folder (``saliency/methods``, ``policies/formats``,
``metrics``, ``drawing/panels``, ``cli``) that has one attribute of the folder's agreed name
(``METHOD``, ``FORMAT``, ``METRIC``, ``PANEL``, ``VERB``). Its public name is the file's, with
hyphens for underscores and a trailing underscore (``import_``) left out; a file whose name begins
with an underscore is not a plug-in. A plug-in of another package is an entry point of the group
that the registry names, and its public name is the entry point's::

    [project.entry-points."agentlens.methods"]
    my-method = "my_package.my_method:METHOD"

Listing names imports none of them.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from agentlens.errors import InvalidArgument, UnknownName

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Registry(Generic[T]):
    """The plug-ins of one kind; ``T`` is what each of them is.

    ``package``: dotted name of the folder. ``attribute``: what each module exports. ``kind``: for
    messages. ``group``: entry-point group of other packages' plug-ins; None takes none.
    ``besides``: modules of the folder that are no plug-ins.
    """

    package: str
    attribute: str
    kind: str
    group: str | None = None
    besides: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Public names in alphabetical order; imports the package but none of its modules."""
        return tuple(sorted({*self._modules(), *self._entry_points()}))

    def load(self, name: str) -> T:
        """Import one plug-in.

        Raises:
            UnknownName: no such plug-in; the message lists the nearest names.
            InvalidArgument: another package's plug-in cannot be imported.
        """
        modules = self._modules()
        if name in modules:
            module = importlib.import_module(f"{self.package}.{modules[name]}")
            return cast(T, getattr(module, self.attribute))
        points = self._entry_points()
        if name not in points:
            raise UnknownName(self.kind, name, self.names())
        try:
            return cast(T, points[name].load())
        except (ImportError, AttributeError) as error:
            raise InvalidArgument(
                f"{self.kind} {name!r} of another package ({points[name].value}) cannot be "
                f"loaded: {error}."
            ) from error

    def name_of(self, plugin: object) -> str | None:
        """The public name of a plug-in that was loaded; None for what this registry does not list.

        Imports nothing.
        """
        names = self._modules()
        modules = {name: f"{self.package}.{file}" for name, file in names.items()}
        for name, module in modules.items():
            if getattr(sys.modules.get(module), self.attribute, None) is plugin:
                return name
        for name, point in self._entry_points().items():
            if point.module in sys.modules and point.load() is plugin:
                return name
        return None

    def _modules(self) -> dict[str, str]:
        paths = importlib.import_module(self.package).__path__
        plug_ins = (name for name in _files(_ages(paths)) if name not in self.besides)
        return {name.rstrip("_").replace("_", "-"): name for name in plug_ins}

    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        """Plug-ins of other packages; a name of our own is never taken over by one."""
        if self.group is None:
            return {}
        return _entry_points(self.group, _ages(sys.path))


Ages = tuple[tuple[str, int], ...]
"""Folders and when each was last changed: what a listing of them stays true for."""


def _ages(folders: Iterable[str]) -> Ages:
    return tuple((folder, _age(folder)) for folder in folders)


def _age(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=64)
def _entry_points(group: str, ages: Ages) -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=group)}


@functools.lru_cache(maxsize=64)
def _files(ages: Ages) -> tuple[str, ...]:
    listed = pkgutil.iter_modules([folder for folder, _ in ages])
    return tuple(module.name for module in listed if not module.name.startswith("_"))
