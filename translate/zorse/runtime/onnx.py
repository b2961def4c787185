"""The ONNX backend: a model file, run by ONNX Runtime on the CPU or on an NVIDIA GPU.

The contract of a model file: one input `image` and one output `translation` of the same shape, with dynamic N, H, W,
and the card's JSON in `metadata_props`. Two kinds:

- uint8: both uint8 (N, H, W, 3) RGB. Scaling, padding, cropping and rounding are in the graph, around a core between
  two tensors of fixed names, which are like those of the other kind. The core alone is run here: 16-bit pictures,
  blends and streaming need what it computes.
- float: both float32 (N, 3, H, W) in [-1, 1], where H and W are multiples of the card's `size_multiple`.
"""

import contextlib
import ctypes
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnxruntime

from zorse.card import ModelCard, read_card
from zorse.errors import DeviceError, WeightsError
from zorse.imaging.tensor import Tensor
from zorse.runtime.onnx_file import OnnxFile, Value, parse_onnx
from zorse.runtime.streamed.generators import generator_program
from zorse.runtime.streamed.kernels import Kernels
from zorse.runtime.streamed.plan import COMFORTABLE, LARGE

Device = Literal["auto", "cpu", "cuda"]

INPUT_NAME = "image"
OUTPUT_NAME = "translation"

CORE_INPUT = "image_float"
"""What the core of a uint8 file takes: float32 (N, 3, H', W') in [-1, 1], H' and W' multiples of the size multiple."""
CORE_OUTPUT = "translation_float"
"""What it gives: the same shape and range."""

IO_KEY = "zorse.io"
"""Key in a model file's metadata: which of the two kinds it is, "uint8" or "float"."""

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

# HEURISTIC: an exhaustive search would run again for each picture size. No TF32: the same pixels as on the CPU.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}

# ONNX Runtime's log severities. Its errors reach the user as ours, so its console is kept for fatal ones.
_WARNING = 2
_SILENT = 4


class OnnxBackend:
    """Callable (N, 3, H, W) float32 in [-1, 1] -> the same shape.

    Args:
        file: the .onnx file.
        device: "cpu", "cuda" (an error where it does not run), or "auto" (CUDA where it runs, else the CPU).
        threads: CPU threads for one picture; None leaves it to ONNX Runtime (one per core).

    Raises:
        WeightsError: missing, damaged, not a Zorse model.
        DeviceError: CUDA was asked for and does not run here.
    """

    card: ModelCard
    provider: str
    """The execution provider that really runs the network, asked from the session after its creation."""

    def __init__(self, file: str | Path, device: Device = "auto", threads: int | None = None) -> None:
        self.file = Path(file)
        network = read_network(self.file)
        self.card = network.card
        self._input, self._output = network.input, network.output
        self._threads = threads
        self._session = _session(self.file, network.content, device, threads)
        self.provider = self._session.get_providers()[0]

    def __call__(self, pictures: Tensor) -> Tensor:
        """Runs the network.

        Raises:
            MemoryError: the memory does not suffice for pictures of this size.
            WeightsError: the network cannot compute pictures of this size.
        """
        return self._run(self._session, [self._output], {self._input: pictures})[0]

    @property
    def on_gpu(self) -> bool:
        """Whether the network runs on a GPU."""
        return self.provider == CUDA

    def kernels(self) -> Kernels:
        """What computes the network piece by piece, for pictures that are streamed.

        Raises:
            IncompatibleWeights: the file does not hold the weights of its card's architecture under their names.
        """
        import onnx  # takes a while

        from zorse.runtime.streamed.onnx_kernels import OnnxKernels, named_weights

        weights = named_weights(onnx.load_from_string(_model_bytes(self.file)))
        program = generator_program(self.card, weights)
        return OnnxKernels(program, weights, self._open, self._run, LARGE if self.on_gpu else COMFORTABLE)

    def _open(self, content: bytes) -> onnxruntime.InferenceSession:
        """A session for a part of the network, where the whole network runs; it keeps no memory between its runs."""
        providers = (
            [(CUDA, _CUDA_OPTIONS | {"arena_extend_strategy": "kSameAsRequested"}), CPU] if self.on_gpu else [CPU]
        )
        return _create(self.file, content, providers, self._threads, keep_memory=False)

    def _run(
        self, session: onnxruntime.InferenceSession, outputs: list[str], inputs: dict[str, Tensor]
    ) -> list[Tensor]:
        try:
            results: list[Tensor] = session.run(outputs, inputs)
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            if any(
                sign in str(error).lower()
                for sign in ("bad_alloc", "bad allocation", "allocate memory", "out of memory")
            ):
                raise MemoryError(str(error)) from error
            shapes = ", ".join(str(tensor.shape) for tensor in inputs.values())
            raise WeightsError(
                f"{self.file} cannot compute pictures of shape {shapes} ({_first_line(error)}). Export the model again."
            ) from error
        return results


@dataclass(frozen=True)
class Network:
    """What a model file holds, cut down to what computes with float32 (N, 3, H, W) in [-1, 1]."""

    card: ModelCard
    content: bytes
    """An ONNX model."""
    input: str
    output: str


def read_network(file: Path) -> Network:
    """Reads a model file of either kind.

    Raises:
        WeightsError: missing, damaged, not a Zorse model.
    """
    whole = read_onnx(file)
    card = read_card(whole.metadata, _described(file, whole))
    if _holds(whole, INPUT_NAME, OUTPUT_NAME, "float32"):
        return Network(card, whole.content, INPUT_NAME, OUTPUT_NAME)
    if _holds(whole, INPUT_NAME, OUTPUT_NAME, "uint8") and {CORE_INPUT, CORE_OUTPUT} <= whole.tensors:
        channels = card.architecture.in_channels, card.architecture.out_channels
        source, result = (
            Value(name, "float32", ("batch", count, "height", "width"))
            for name, count in zip((CORE_INPUT, CORE_OUTPUT), channels, strict=True)
        )
        return Network(card, whole.between(source, result), CORE_INPUT, CORE_OUTPUT)
    raise WeightsError(
        f"{_described(file, whole)}; Zorse translates with models that have one input {INPUT_NAME!r} and one output "
        f"{OUTPUT_NAME!r}, both uint8 (N, H, W, 3) around tensors named {CORE_INPUT!r} and {CORE_OUTPUT!r}, or both "
        "float32 (N, 3, H, W). 'zorse export' writes them."
    )


def read_onnx(file: Path) -> OnnxFile:
    """Reads an ONNX file, whatever it computes, without opening a session.

    Raises:
        WeightsError: missing, damaged, not an ONNX file.
    """
    content = _model_bytes(file)
    try:
        return parse_onnx(content)
    except ValueError as error:
        raise WeightsError(f"{file} is damaged or not an ONNX model: {error}. Get or export it again.") from error


def _described(file: Path, whole: OnnxFile) -> str:
    inputs, outputs = (", ".join(map(str, values)) or "none" for values in (whole.inputs, whole.outputs))
    return f"{file} (inputs: {inputs}; outputs: {outputs})"


def _holds(whole: OnnxFile, source: str, result: str, element: str) -> bool:
    """Whether the graph has just this input and this output, of these numbers and four dimensions."""
    values = [(value.name, value.element, len(value.shape)) for value in (*whole.inputs, *whole.outputs)]
    return values == [(source, element, 4), (result, element, 4)] and len(whole.inputs) == 1


def cuda_devices() -> int:
    """How many GPUs the NVIDIA driver shows; 0 without driver."""
    try:
        driver: Any = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int()
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except OSError:
        return 0
    return count.value


def _model_bytes(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(
            f"There is no model file {file}. Check the path; 'zorse models list' shows the shipped models."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"The model file {file} cannot be read ({error.strerror or error}). Check its permissions."
        ) from error
    if not content:
        raise WeightsError(
            f"The model file {file} is empty (0 bytes). A copy or download that broke off? Get it again."
        )
    return content


def _session(file: Path, content: bytes, device: Device, threads: int | None) -> onnxruntime.InferenceSession:
    wanted = device == "cuda"
    has_provider = CUDA in onnxruntime.get_available_providers()
    if wanted and not has_provider:
        raise DeviceError(
            "CUDA was asked for, but the installed ONNX Runtime is the CPU version. Replace it: pip uninstall "
            "onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'. Or use --device cpu."
        )
    if device == "cpu" or not has_provider or cuda_devices() == 0:
        if wanted:
            raise DeviceError(
                "CUDA was asked for, but the NVIDIA driver shows no GPU here. Check that 'nvidia-smi' lists one (and "
                "CUDA_VISIBLE_DEVICES, if it is set). Or use --device cpu."
            )
        return _create(file, content, [CPU], threads)
    session, complaint = _create_on_gpu(file, content, threads)
    if wanted and session.get_providers()[0] != CUDA:
        raise DeviceError(
            f"CUDA was asked for and there is a GPU, but ONNX Runtime could not start CUDA ({complaint}). Install its "
            "libraries: pip install 'onnxruntime-gpu[cuda,cudnn]'. Or use --device cpu."
        )
    return session


def _create_on_gpu(file: Path, content: bytes, threads: int | None) -> tuple[onnxruntime.InferenceSession, str]:
    """The session, which ONNX Runtime puts on the CPU where CUDA does not start, and what it said then."""
    # preload_dlls finds the CUDA and cuDNN libraries of pip packages and prints what it misses; a provider that does
    # not start is logged by the default logger, whose level cannot be asked, only set: 2 (warning) is its default.
    printed = io.StringIO()
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        with contextlib.redirect_stdout(printed):
            onnxruntime.preload_dlls()
        session = _create(file, content, [(CUDA, _CUDA_OPTIONS), CPU], threads)
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    return session, _first_line(printed.getvalue()) or "the driver may be too old for it"


def _create(
    file: Path, content: bytes, providers: list[Any], threads: int | None, *, keep_memory: bool = True
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = keep_memory
    options.log_severity_level = _SILENT
    if threads is not None:
        options.intra_op_num_threads = threads
    # Created from bytes, a model cannot read other files: one that refers to some is refused.
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        if any(sign in str(error) for sign in ("external", "External", "model_path must not be empty")):
            raise WeightsError(
                f"{file} keeps weights in other files. Zorse models are one file: export it again with 'zorse export', "
                "or save it without external data."
            ) from error
        raise WeightsError(
            f"{file} is damaged or not an ONNX model ({_first_line(error)}). Get or export it again."
        ) from error


def _first_line(message: object) -> str:
    lines = str(message).strip().splitlines()
    return lines[0][:300] if lines else ""
