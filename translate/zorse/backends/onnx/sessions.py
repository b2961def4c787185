"""Sessions of ONNX Runtime: on the device that is meant, with so many threads, and with memory that stays bounded."""

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import onnxruntime

from zorse.backends.onnx.cuda_libraries import advice, libraries, preload
from zorse.errors import DeviceError, Stopped, WeightsError
from zorse.imaging.tensor import Tensor
from zorse.runtime.devices import CPU, CUDA, PROVIDERS, SOURCES, Device, Setting, cuda_devices, usable_cores
from zorse.system.stopping import ended_by

LARGE = 2**19
"""Pixels of a picture from which on the arena `auto` gives its memory back."""

# HEURISTIC: an exhaustive search would run again for each picture size. No TF32: the same pixels as on the CPU.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}

# ONNX Runtime's log severities. Its errors reach the user as ours, so its console is kept for fatal ones.
_WARNING = 2
_SILENT = 4

_RECORDED = "session.record_ep_graph_assignment_info"
_SHRINKING = "memory.enable_memory_arena_shrinkage"

if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":  # for programs that imported ONNX Runtime before Zorse
    onnxruntime.disable_telemetry_events()


class Session:
    """A model, opened by ONNX Runtime; safe to run from several threads at the same time.

    Where the provider does not start, ONNX Runtime goes on with the CPU: `provider` says so, `complaint` perhaps why.

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
        self._session, self.complaint = _create(file, content, provider, setting)
        self.provider: str = provider if _runs_on(self._session, provider) else CPU
        """What really runs the network, asked from ONNX Runtime."""

    def run(self, outputs: list[str], inputs: dict[str, Tensor]) -> list[Tensor]:
        """Computes tensors of the graph.

        Raises:
            MemoryError: the memory does not suffice for pictures of this size.
            WeightsError: the model cannot compute pictures of this size.
            Stopped: nobody wants the result any more.
        """
        how = onnxruntime.RunOptions()
        if self._arena == "auto" and self.provider == CPU and any(is_large(tensor) for tensor in inputs.values()):
            how.add_run_config_entry(_SHRINKING, "cpu:0")
        try:
            with ended_by(lambda: setattr(how, "terminate", True)):
                results: list[Tensor] = self._session.run(outputs, inputs, how)
        except Stopped:
            raise
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


def choose_provider(device: Device) -> str:
    """The execution provider for a device.

    Raises:
        DeviceError: the device was asked for and is not here.
    """
    available = onnxruntime.get_available_providers()
    if device not in ("auto", "cuda"):
        return _available(device, available)
    if CUDA in available and cuda_devices() > 0:
        return CUDA
    if device == "auto":
        return CPU
    _available(device, available)
    raise DeviceError(
        "CUDA was asked for, but the NVIDIA driver shows no GPU here. Check that 'nvidia-smi' lists one (and "
        "CUDA_VISIBLE_DEVICES, if it is set). Or use --device cpu."
    )


def open_session(file: Path, content: bytes, provider: str, setting: Setting) -> Session:
    """Opens a model where it is meant to run, or with the device `auto` on the CPU if it does not run there.

    Raises:
        WeightsError: the model is damaged, or keeps weights in other files.
        DeviceError: that device was asked for, and its provider does not start or takes none of the network.
    """
    missing = preload(libraries(onnxruntime.cuda_version)) if provider == CUDA else []
    session = Session(file, content, provider, setting)
    if session.provider == provider or setting.device == "auto":
        return session
    if missing:
        names = ", ".join(library.file for library in missing)
        why = f"Libraries that it needs are missing: {names}. Install them: {advice(missing)}"
    else:
        why = f"ONNX Runtime says: {session.complaint or 'nothing'}. Is the driver new enough for it?"
    raise DeviceError(
        f"The device {setting.device!r} was asked for, but its provider for ONNX Runtime {onnxruntime.__version__} "
        f"({provider}) did not start or took none of the network. {why} Or use --device cpu."
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
        f"pip uninstall onnxruntime onnxruntime-gpu, then {SOURCES[device]}. Or use --device cpu."
    )


def _create(file: Path, content: bytes, provider: str, setting: Setting) -> tuple[onnxruntime.InferenceSession, str]:
    """The session, and what ONNX Runtime printed where a provider did not start."""
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = setting.arena != "off"
    # It plans the memory for one size, and holds it beside what pictures of other sizes take.
    options.enable_mem_pattern = False
    options.log_severity_level = _SILENT
    # Threads that wait in a loop gain nothing here, and take up to a third of the time of what else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = setting.threads or _usual_threads()
    options.add_session_config_entry(_RECORDED, "1" if provider != CPU else "0")
    # Created from bytes, a model cannot read other files: one that refers to some is refused.
    try:
        if provider == CPU:
            return onnxruntime.InferenceSession(content, options, providers=[CPU]), ""
        with _silence() as printed:
            providers = [(provider, _options(provider, setting)), CPU]
            session = onnxruntime.InferenceSession(content, options, providers=providers)
        return session, _first_line(printed.getvalue().replace("*", ""))
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        if any(sign in str(error) for sign in ("external", "External", "model_path must not be empty")):
            raise WeightsError(
                f"{file} keeps weights in other files. Zorse models are one file: export it again with 'zorse export', "
                "or save it without external data."
            ) from error
        raise WeightsError(
            f"{file} is damaged or not an ONNX model ({_first_line(error)}). Get or export it again."
        ) from error


def _usual_threads() -> int:
    """0 leaves it to ONNX Runtime: one per core of the processor, whatever this process may use of them."""
    usable = usable_cores()
    return 0 if usable == os.cpu_count() else usable


def _options(provider: str, setting: Setting) -> dict[str, str]:
    if provider != CUDA:
        return {}
    return _CUDA_OPTIONS | ({"arena_extend_strategy": "kSameAsRequested"} if setting.arena == "off" else {})


@contextmanager
def _silence() -> Iterator[io.StringIO]:
    """Catches what is printed when a provider does not start; the default logger's level cannot be asked, only set."""
    onnxruntime.set_default_logger_severity(_SILENT)
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield printed
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
