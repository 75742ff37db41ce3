"""The list of real models, read from ``models.json`` beside this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

FOLDER = Path("build/models")
"""Where collected models lie, seen from the repository root."""


@dataclass(frozen=True)
class Entry:
    """One model: where it comes from and how its inputs are made.

    Attributes:
        name: our name for it, and the stem of its file.
        tier: ``core`` (must pass through a message) or ``wide`` (tried as well).
        about: what it does.
        package: the pinned package whose wheel holds it, as ``name==version``.
        file: its path inside the wheel.
        bytes: its length.
        sha256: of the file, in hexadecimal.
        licence: SPDX identifier.
        parameters: number of its weights.
        recipe: key of the recipe that makes its inputs.
        inputs: what the recipe makes, in words.
    """

    name: str
    tier: str
    about: str
    package: str
    file: str
    bytes: int
    sha256: str
    licence: str
    parameters: int
    recipe: str
    inputs: str


def entries(tier: str = "all") -> list[Entry]:
    """The models of ``tier`` (``core``, ``wide`` or ``all``), core ones first.

    >>> [entry.name for entry in entries("core")][:2]
    ['ch_ppocr_mobile_v2.0_cls_infer', 'silero_vad_16k_op15']
    """
    text = resources.files(__package__).joinpath("models.json").read_text(encoding="utf-8")
    return [Entry(**item) for item in json.loads(text) if tier in ("all", item["tier"])]


def entry(name: str) -> Entry:
    """The model called ``name``.

    Raises:
        KeyError: there is none, with a message that lists those there are.
    """
    known = {item.name: item for item in entries()}
    if name not in known:
        raise KeyError(f"no model is called {name!r}; known are {', '.join(known)}")
    return known[name]
