"""From a trained generator to one ONNX file that computes the same, checked before it is written."""

from zorse_export.export import export_onnx
from zorse_export.graph import OPSET
from zorse_export.parity import TOLERANCE, ParityCheck, ParityReport
from zorse_export.source import Direction, default_target, find_generator

__all__ = [
    "OPSET",
    "TOLERANCE",
    "Direction",
    "ParityCheck",
    "ParityReport",
    "default_target",
    "export_onnx",
    "find_generator",
]
