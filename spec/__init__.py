"""The language: specification, table of primitives, grammar, text <-> terms <-> bits, reference semantics."""
