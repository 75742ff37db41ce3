"""Keeps the closing figures of a test run, for README (see isagoge.figures)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

SUMMARY = Path(__file__).parent.parent / "build" / "test-summary.txt"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write how many tests passed and how long that took, once all have run."""
    stats = terminalreporter.stats
    counts = [
        f"{len(stats[word])} {word}" for word in ("passed", "failed", "error", "skipped") if stats.get(word)
    ]
    seconds = time.time() - float(terminalreporter._session_start.time)
    if len(stats.get("passed", ())) > 1000:
        SUMMARY.parent.mkdir(exist_ok=True)
        SUMMARY.write_text(f"{', '.join(counts)} in {seconds:.0f} s\n", "utf-8")
