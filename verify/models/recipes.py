"""Inputs for the real models: made from a seed and like what each model was made for.

``inputs(name, seed)`` gives the inputs of one model by name, the same every time (on another machine to
within the last bits, as NumPy's sine is). Values like those seen in use matter: noise drives most models
into flat outputs that hide mistakes. With ``small=True`` the axes that a model leaves open are made short,
for receivers that are slow; a model with no open axis gets its usual size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isagoge.verify.models.recipes_core import CORE, Inputs, name_step, session
from isagoge.verify.models.recipes_wide import WIDE
from isagoge.verify.models.registry import FOLDER, entry

__all__ = ["Inputs", "inputs", "session"]


def inputs(name: str, seed: int = 0, small: bool = False, models: Path = FOLDER) -> Inputs:
    """Inputs for the model called ``name``.

    Args:
        name: a name in ``models.json``.
        seed: another seed gives another picture, sound or word.
        small: make open axes short.
        models: where the models lie; only the romanizer's decoder looks there, to have what it reads made.

    Returns:
        An array for each input of the model, by the input's name, in its type and shape.

    Raises:
        KeyError: no model has this name.
    """
    key = entry(name).recipe
    rng = np.random.default_rng(seed)
    if key == "name_step":
        return name_step(rng, small, models)
    return {**CORE, **WIDE}[key](rng, small)
