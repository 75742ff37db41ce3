"""Lessons and library in the notation, and the linker that picks what a model needs."""
