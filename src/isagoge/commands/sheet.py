"""Contact sheets of small grey pictures: as characters for a terminal, as a PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Pictures = npt.NDArray[np.float64]
"""[pictures, rows, columns], 0 is dark and 1 is bright."""

WIDE = 10
SHADES = " ░▒▓█"
PLAIN = " .+#@"


def as_text(pictures: Pictures, labels: Sequence[str], shades: str = SHADES) -> list[str]:
    """Return the lines of a contact sheet, ten pictures in a row, a label under each.

    >>> as_text(np.array([[[0.0, 1.0], [0.5, 0.25]]]), ["7"])
    [' █', '▒░', '7']
    """
    levels = np.clip(np.rint(pictures * (len(shades) - 1)), 0, len(shades) - 1).astype(int)
    lines = []
    width = pictures.shape[2]
    for start in range(0, len(levels), WIDE):
        row = levels[start : start + WIDE]
        for line in range(pictures.shape[1]):
            lines.append(
                " ".join("".join(shades[level] for level in picture[line]) for picture in row).rstrip()
            )
        lines.append(" ".join(label.center(width) for label in labels[start : start + WIDE]).rstrip())
    return [line if line.strip() else "" for line in lines]


def as_png(path: Path, sheets: Mapping[str, tuple[Pictures, Sequence[str]]], title: str) -> None:
    """Write contact sheets as a PNG: for each name its pictures, ten in a row, with a label under each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sum(-(-len(pictures) // WIDE) for pictures, _ in sheets.values())
    figure = Figure(figsize=(WIDE * 0.9, rows * 1.15 + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    heights = [-(-len(pictures) // WIDE) for pictures, _ in sheets.values()]
    parts = figure.subfigures(len(sheets), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (name, (pictures, labels)), height in zip(parts, sheets.items(), heights, strict=True):
        part.suptitle(name, fontsize=10, x=0.01, ha="left")
        axes: npt.NDArray[Any] = part.subplots(height, WIDE, squeeze=False).reshape(-1)
        for axis in axes:
            axis.axis("off")
        for axis, picture, label in zip(axes, pictures, labels, strict=False):
            axis.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
            axis.set_title(label, fontsize=8, y=-0.28)
    figure.savefig(path, dpi=120)
