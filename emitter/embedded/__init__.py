"""The embedded model: handwritten digits, six numbers each, with the program that trained it."""
