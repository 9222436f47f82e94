# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import importlib.abc
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import partial


class ImportHooks(importlib.abc.MetaPathFinder):
    """Finder that lets modules be imported within contexts, and calls functions when they are there.

    The other finders of ``sys.meta_path`` find the modules; this one wraps their execution. It looks
    at packages and what lies directly in them: what these import is imported within.

    Args:
        packages (Collection[str]): Names of the packages.

    Attributes:
        always (Callable): Context of each import.
        around (dict[str, Callable]): More contexts, by name of the module.
        depth (int): Imports under way, one within another.
    """

    def __init__(self, packages: Collection[str]):
        self.packages = packages
        self.always: Callable[[], AbstractContextManager] = contextlib.nullcontext
        self.around: dict[str, Callable[[], AbstractContextManager]] = {}
        self.depth = 0
        self._afterwards: dict[str, list[Callable[[], object]]] = {}

    def find_spec(self, name, path=None, target=None):
        """Return the spec that the next finder has, its loader wrapped."""
        if name.partition('.')[0] not in self.packages or name.count('.') > 1:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and hasattr(spec.loader, 'exec_module'):
            spec.loader.exec_module = partial(self._execute, spec.loader.exec_module)
        return spec

    def _execute(self, original: Callable, module) -> None:
        self.depth += 1
        try:
            with self.always(), self.around.get(module.__name__, contextlib.nullcontext)():
                original(module)
        finally:
            self.depth -= 1
        for function in self._afterwards.get(module.__name__, ()):
            function()

    def when_imported(self, name: str, function: Callable[[], object]) -> None:
        """Call a function as soon as a module is imported: now, if it is."""
        self._afterwards.setdefault(name, []).append(function)
        if name in sys.modules:
            function()
