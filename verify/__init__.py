"""Receivers, the verifier that drives them as processes, and the models that it is tried on."""
