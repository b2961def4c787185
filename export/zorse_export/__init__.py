"""From a trained generator to one ONNX file that computes the same, checked before it is written."""

from zorse.backends.torch.graph import IR_VERSION, OPSET, GraphInput, GraphOutput, Traced, trace
from zorse.model.card import Direction
from zorse_export.export import ExportReport, export_onnx
from zorse_export.kid import evaluation_pictures
from zorse_export.parity import BOUNDS, TOLERANCE, ParityCheck
from zorse_export.prepare import at_test
from zorse_export.source import default_target, find_generator, load_source, run_config

__all__ = [
    "BOUNDS",
    "IR_VERSION",
    "OPSET",
    "TOLERANCE",
    "Direction",
    "ExportReport",
    "GraphInput",
    "GraphOutput",
    "ParityCheck",
    "Traced",
    "at_test",
    "default_target",
    "evaluation_pictures",
    "export_onnx",
    "find_generator",
    "load_source",
    "run_config",
    "trace",
]
