"""The figures in README.md that need no model are those of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from isagoge.figures import language_facts

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


@pytest.mark.parametrize(("what", "figure"), language_facts())
def test_the_readme_has_the_figure_of_today(what: str, figure: str) -> None:
    row = f"| {what} | {figure} |"
    assert row in README, f"README.md lacks {row!r}: run python -m isagoge.figures --write"


def test_nothing_in_the_readme_is_left_to_generate() -> None:
    assert "-->\n<!-- end -->" not in README
