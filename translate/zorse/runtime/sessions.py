"""Sessions of ONNX Runtime: on the device that is meant, with so many threads, and with memory that stays bounded."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

from zorse.errors import DeviceError, WeightsError
from zorse.imaging.tensor import Tensor
from zorse.runtime.cuda_libraries import advice, libraries, preload
from zorse.runtime.devices import CPU, CUDA, PACKAGES, PROVIDERS, Device, Setting, cuda_devices, usable_cores

LARGE = 2**19
"""Pixels of a picture from which on the arena `auto` gives its memory back."""

# HEURISTIC: an exhaustive search would run again for each picture size. No TF32: the same pixels as on the CPU.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}

# ONNX Runtime's log severities. Its errors reach the user as ours, so its console is kept for fatal ones.
_WARNING = 2
_SILENT = 4

_RECORDED = "session.record_ep_graph_assignment_info"
_SHRINKING = "memory.enable_memory_arena_shrinkage"


class Session:
    """A model, opened by ONNX Runtime; safe to run from several threads at the same time.

    Args:
        file: where the model comes from, for error messages.
        content: an ONNX model.
        provider: what runs it.
        setting: threads and arena.

    Raises:
        WeightsError: the model is damaged, or keeps weights in other files.
    """

    def __init__(self, file: Path, content: bytes, provider: str, setting: Setting) -> None:
        self._file = file
        self._arena = setting.arena
        self._session = _create(file, content, provider, setting)
        self.provider: str = provider if _runs_on(self._session, provider) else CPU
        """What really runs the network, asked from ONNX Runtime."""

    def run(self, outputs: list[str], inputs: dict[str, Tensor]) -> list[Tensor]:
        """Computes tensors of the graph.

        Raises:
            MemoryError: the memory does not suffice for pictures of this size.
            WeightsError: the model cannot compute pictures of this size.
        """
        how = onnxruntime.RunOptions()
        if self._arena == "auto" and any(is_large(tensor) for tensor in inputs.values()):
            how.add_run_config_entry(_SHRINKING, "cpu:0")
        try:
            results: list[Tensor] = self._session.run(outputs, inputs, how)
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            if any(
                sign in str(error).lower()
                for sign in ("bad_alloc", "bad allocation", "allocate memory", "out of memory")
            ):
                raise MemoryError(str(error)) from error
            shapes = ", ".join(str(tensor.shape) for tensor in inputs.values())
            raise WeightsError(
                f"{self._file} cannot compute pictures of shape {shapes} ({_first_line(error)}). Export the model "
                "again."
            ) from error
        return results


def choose_provider(device: Device) -> tuple[str, str]:
    """The execution provider for a device, and why it is not a GPU although there is one (else empty).

    The CUDA libraries in NVIDIA's pip packages are loaded where they are needed.

    Raises:
        DeviceError: the device was asked for and cannot be used here.
    """
    available = onnxruntime.get_available_providers()
    if device not in ("auto", "cuda"):
        return _available(device, available), ""
    if CUDA not in available or cuda_devices() == 0:
        if device == "cuda":
            _available(device, available)
            raise DeviceError(
                "CUDA was asked for, but the NVIDIA driver shows no GPU here. Check that 'nvidia-smi' lists one (and "
                "CUDA_VISIBLE_DEVICES, if it is set). Or use --device cpu."
            )
        return CPU, ""
    missing = preload(libraries(onnxruntime.cuda_version))
    if not missing:
        return CUDA, ""
    names = ", ".join(library.file for library in missing)
    reason = f"of the libraries that ONNX Runtime needs for CUDA these are missing: {names}. {advice(missing)}"
    if device == "cuda":
        raise DeviceError(f"CUDA was asked for and there is a GPU, but {reason}, or use --device cpu.")
    return CPU, reason


def open_session(file: Path, content: bytes, provider: str, setting: Setting) -> Session:
    """Opens a model where it is meant to run.

    Raises:
        WeightsError: the model is damaged, or keeps weights in other files.
        DeviceError: that device was asked for, and its provider does not start or takes none of the network.
    """
    session = Session(file, content, provider, setting)
    if session.provider == provider or setting.device == "auto":
        return session
    raise DeviceError(
        f"The device {setting.device!r} was asked for, but its provider for ONNX Runtime {onnxruntime.__version__} "
        f"({provider}) did not start or took none of the network. Is the driver new enough? 'zorse doctor' looks "
        "closer. Or use --device cpu."
    )


def is_large(pictures: Tensor) -> bool:
    """Whether the arena `auto` gives back the memory that such pictures, (N, C, H, W), take."""
    return math.prod(pictures.shape[-2:]) >= LARGE


def _available(device: Device, available: list[str]) -> str:
    if PROVIDERS[device] in available:
        return PROVIDERS[device]
    built = ", ".join(name.removesuffix("ExecutionProvider") for name in available)
    raise DeviceError(
        f"The device {device!r} was asked for, but the installed ONNX Runtime is built for {built} only. Replace it: "
        f"pip uninstall onnxruntime onnxruntime-gpu, then pip install {PACKAGES[device]}. Or use --device cpu."
    )


def _create(file: Path, content: bytes, provider: str, setting: Setting) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = setting.arena != "off"
    # It plans the memory for one size, and holds it beside what pictures of other sizes take.
    options.enable_mem_pattern = False
    options.log_severity_level = _SILENT
    # Threads that wait in a loop gain nothing here, and take up to a third of the time of what else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = setting.threads or usable_cores()
    options.add_session_config_entry(_RECORDED, "1" if provider != CPU else "0")
    # Created from bytes, a model cannot read other files: one that refers to some is refused.
    try:
        if provider == CPU:
            return onnxruntime.InferenceSession(content, options, providers=[CPU])
        with _silence():
            return onnxruntime.InferenceSession(
                content, options, providers=[(provider, _options(provider, setting)), CPU]
            )
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        if any(sign in str(error) for sign in ("external", "External", "model_path must not be empty")):
            raise WeightsError(
                f"{file} keeps weights in other files. Zorse models are one file: export it again with 'zorse export', "
                "or save it without external data."
            ) from error
        raise WeightsError(
            f"{file} is damaged or not an ONNX model ({_first_line(error)}). Get or export it again."
        ) from error


def _options(provider: str, setting: Setting) -> dict[str, str]:
    if provider != CUDA:
        return {}
    return _CUDA_OPTIONS | ({"arena_extend_strategy": "kSameAsRequested"} if setting.arena == "off" else {})


@contextmanager
def _silence() -> Iterator[None]:
    """A provider that does not start is logged by the default logger, whose level cannot be asked, only set."""
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)


def _runs_on(session: onnxruntime.InferenceSession, provider: str) -> bool:
    """Whether a provider started and took a part of the graph; one that takes none leaves all of it to the CPU."""
    if session.get_providers()[0] != provider:
        return False
    if provider == CPU or not hasattr(session, "get_provider_graph_assignment_info"):  # since ONNX Runtime 1.24
        return True
    parts: list[str] = [part.ep_name for part in session.get_provider_graph_assignment_info()]
    return provider in parts


def _first_line(message: object) -> str:
    lines = str(message).strip().splitlines()
    return lines[0][:300] if lines else ""
