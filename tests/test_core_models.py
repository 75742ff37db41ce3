"""Every core model of the registry: generated, verified by all receivers, compared with ONNX Runtime.

``make models`` collects the files; CI does so first.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from isagoge.figures import TOLERANCE, model_row, try_model
from isagoge.verify.models.registry import entries

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "build" / "models"
PYTHON_SECONDS = 30.0
"""In the tests the Python receiver goes as far as this takes it; the figures in README give it longer."""


@pytest.mark.parametrize("name", [entry.name for entry in entries("core")])
def test_a_core_model_holds(name: str, tmp_path: Path) -> None:
    if not (MODELS / f"{name}.onnx").exists():
        pytest.skip(f"{name} is not collected: run `make models` (it needs a package index)")
    facts = try_model(name, MODELS, tmp_path, PYTHON_SECONDS)
    assert facts["receivers"]["c"]["complete"]
    assert facts["error"] <= TOLERANCE or facts["explained"] <= TOLERANCE
    row = model_row(facts)
    written = (ROOT / "README.md").read_text("utf-8")
    # The error on other machines' runtimes may differ; what the message is made of may not.
    assert "| " + " | ".join(row[:5]) + " |" in written, (
        "README.md is out of date: run python -m isagoge.figures --write"
    )
