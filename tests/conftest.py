"""Keeps the closing figures of a whole test run, for README (see isagoge.figures)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

SUMMARY = Path(__file__).parent.parent / "build" / "test-summary.txt"
STARTED = time.monotonic()
WHOLE = 1000
"""A run in which fewer tests pass is one of a part, and its figures are not kept."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write how many tests passed and how long that took."""
    if hasattr(terminalreporter.config, "workerinput"):
        return  # one of several workers: it knows its own tests only
    stats = terminalreporter.stats
    words = [w for w in ("passed", "failed", "error", "skipped") if stats.get(w)]
    if len(stats.get("passed", ())) > WHOLE:
        SUMMARY.parent.mkdir(exist_ok=True)
        counts = ", ".join(f"{len(stats[w])} {w}" for w in words)
        SUMMARY.write_text(f"{counts} in {time.monotonic() - STARTED:.0f} s\n", "utf-8")
