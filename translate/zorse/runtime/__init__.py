"""Translating pictures with ONNX Runtime: nothing here imports torch."""
