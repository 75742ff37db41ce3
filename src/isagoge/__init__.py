"""Isagoge: turn a trained model into a message that teaches its own decoder, and prove that it does."""

__version__ = "0.1.0"
