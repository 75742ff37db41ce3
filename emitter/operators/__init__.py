"""How each ONNX operator is said: handlers that turn a node into terms over the library."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules


@cache
def register() -> None:
    """Import every module of this folder, so that its handlers stand in ``lowering.HANDLERS``."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
