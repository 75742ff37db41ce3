"""The examples in our docstrings hold. The receivers are data, not packages, and are tried elsewhere."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import isagoge

MODULES = sorted(module.name for module in pkgutil.walk_packages(isagoge.__path__, "isagoge."))


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_the_examples_in_docstrings_hold(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
