"""ONNX -> op graph -> definitions -> message; the embedded model; bit counts and test vectors."""
