"""Submodules of `slicer` that nobody has imported yet: no attribute of it until somebody does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any


class SubmodulesToImport(MetaPathFinder, Loader):
    """Gives modules of the host to whoever imports them.

    Args:
        modules: By their full names.
    """

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Whether it is one of them."""
        del path, target
        return spec_from_loader(fullname, self) if fullname in self._modules else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes an empty one, which the next step exchanges."""

    def exec_module(self, module: ModuleType) -> None:
        """The module of the host takes the name; Python then makes it an attribute of its package."""
        sys.modules[module.__name__] = self._modules[module.__name__]

    def forget(self, package: Any) -> None:
        """As in a Slicer that has just been started."""
        for name in self._modules:
            sys.modules.pop(name, None)
            vars(package).pop(name.rpartition(".")[2], None)
