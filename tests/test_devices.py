"""Where a network runs: providers are chosen and verified, and a missing library is named."""

import ctypes
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import tiny_onnx
from zorse import installation
from zorse.backends.onnx import cuda_libraries, sessions
from zorse.backends.onnx.backend import OnnxBackend
from zorse.backends.onnx.cuda_libraries import Library, advice, libraries, package_folders, preload
from zorse.errors import ConfigError, DeviceError
from zorse.loading import load
from zorse.runtime import devices
from zorse.runtime.devices import CPU, CUDA, Setting, usable_cores


@pytest.fixture
def model(tmp_path):
    return tiny_onnx.write(tmp_path / "m.onnx")


@pytest.fixture
def gpu(monkeypatch):
    """A computer with a GPU, an ONNX Runtime for CUDA, and all libraries."""
    monkeypatch.setattr(sessions, "cuda_devices", lambda: 1)
    monkeypatch.setattr(devices, "cuda_devices", lambda: 1)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "cuda_version", "13.0")
    monkeypatch.setattr(sessions, "preload", lambda needed: [])


class FakeSession:
    """What ONNX Runtime gives for a provider that starts; its nodes go to `takes`."""

    takes = CUDA
    starts = True

    def __init__(self, content, options, providers):
        if not self.starts and len(providers) > 1:
            print("EP Error: driver too old")  # as ONNX Runtime does
        self.providers = [name if isinstance(name, str) else name[0] for name in providers]

    def get_providers(self):
        return self.providers if self.starts else [CPU]

    def get_provider_graph_assignment_info(self):
        return [type("Part", (), {"ep_name": self.takes})]


# What runs -----------------------------------------------------------------------------------------------------------


def test_cuda_without_a_gpu_is_an_error_and_auto_is_not(model, monkeypatch, capfd):
    monkeypatch.setattr(sessions, "cuda_devices", lambda: 0)
    with pytest.raises(DeviceError, match="CUDA was asked for" if has_cuda() else "'cuda' was asked for"):
        OnnxBackend(model, device="cuda")
    assert OnnxBackend(model, device="auto").provider == CPU
    assert capfd.readouterr() == ("", ""), "ONNX Runtime must stay off the console"


@pytest.mark.skipif("CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="built without CUDA")
def test_cuda_that_does_not_start_is_an_error_and_auto_goes_on_with_the_cpu(model, gpu, capfd):
    if real_gpus():
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match="did not start or took none of the network"):
        OnnxBackend(model, device="cuda")
    backend = OnnxBackend(model, device="auto")
    assert backend.provider == CPU
    assert backend(np.ones((1, 3, 8, 8), np.float32)).max() == -1
    assert capfd.readouterr() == ("", "")


def test_a_provider_that_starts_and_takes_the_network_runs_it(model, gpu, monkeypatch):
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    assert OnnxBackend(model, device="auto").provider == CUDA
    assert load(model, "cuda").provider == CUDA


def test_a_provider_that_takes_no_node_does_not_run_the_network(model, gpu, monkeypatch):
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "takes", CPU)
    with pytest.raises(DeviceError, match="took none of the network"):
        OnnxBackend(model, device="cuda")
    assert OnnxBackend(model, device="auto").provider == CPU


def test_another_build_of_onnx_runtime_offers_its_device(model, monkeypatch):
    provider = "OpenVINOExecutionProvider"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "takes", provider)
    assert OnnxBackend(model, device="openvino").provider == provider
    assert OnnxBackend(model, device="auto").provider == CPU, "what is not asked for must be as exact as the CPU"


@pytest.mark.parametrize(
    ("device", "package"),
    [("cuda", "onnxruntime-gpu"), ("directml", "onnxruntime-directml"), ("coreml", "onnxruntime")],
)
def test_a_build_without_the_device_says_which_package_has_it(model, monkeypatch, device, package):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(DeviceError, match=rf"built for CPU only.*pip install '?{package}"):
        OnnxBackend(model, device=device)


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"threads": 0}, {"arena": "large"}])
def test_settings_that_make_no_sense(model, wrong):
    with pytest.raises(ConfigError):
        load(model, **wrong)


# Missing libraries ---------------------------------------------------------------------------------------------------


def test_missing_libraries_are_named_with_the_packages_that_bring_them(model, gpu, monkeypatch):
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "starts", False)
    absent = [library for library in libraries("13.0") if "cudnn" in library.file or "cufft" in library.file]
    monkeypatch.setattr(sessions, "preload", lambda needed: absent)
    with pytest.raises(DeviceError) as raised:
        OnnxBackend(model, device="cuda")
    for word in (*(library.file for library in absent), "pip install nvidia-cufft nvidia-cudnn-cu13"):
        assert word in str(raised.value)
    assert OnnxBackend(model, device="auto").provider == CPU


def test_a_provider_that_does_not_start_with_all_libraries_says_what_onnx_runtime_said(model, gpu, monkeypatch, capsys):
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "starts", False)
    with pytest.raises(DeviceError, match="driver too old"):
        OnnxBackend(model, device="cuda")
    assert capsys.readouterr().out == ""


def test_the_doctor_explains_why_models_run_on_the_cpu(model, gpu, monkeypatch):
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "starts", False)
    absent = [Library("libcudnn.so.9", "nvidia-cudnn-cu12")]
    monkeypatch.setattr(sessions, "preload", lambda needed: absent)
    monkeypatch.setattr(installation, "_first_file", lambda: model)
    finding = installation._gpu()
    assert finding.state == "note"
    assert finding.found == "1 found, but models run on the CPU"
    assert "libcudnn.so.9" in finding.advice
    assert "pip install nvidia-cudnn-cu12" in finding.advice


def test_the_doctor_without_a_gpu_names_what_hides_it_and_other_devices(monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", lambda: 0)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["DmlExecutionProvider", CPU])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = installation._gpu().found
    assert "CUDA_VISIBLE_DEVICES is ''" in found
    assert "--device directml" in found


@pytest.mark.parametrize(
    ("version", "files", "packages"),
    [
        ("12.8", ("libcudart.so.12", "libcufft.so.11"), "nvidia-cuda-runtime-cu12 nvidia-cufft-cu12"),
        ("13.0", ("libcudart.so.13", "libcufft.so.12"), "nvidia-cuda-runtime nvidia-cufft"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="names of Linux")
def test_each_cuda_has_its_own_libraries_and_packages(version, files, packages):
    chosen = [library for library in libraries(version) if library.file in files]
    assert tuple(library.file for library in chosen) == files
    assert advice(chosen) == f"pip install {packages}"


def test_libraries_are_loaded_from_the_packages_before_the_system(tmp_path, monkeypatch):
    folder = tmp_path / "nvidia/cublas/lib"
    folder.mkdir(parents=True)
    (folder / "liba.so").touch()
    (folder / "libdamaged.so").touch()
    loaded = []

    def loads(file):
        if file == "libnowhere.so" or "damaged" in file:
            raise OSError(file)
        loaded.append(file)

    monkeypatch.setattr(cuda_libraries, "package_folders", lambda: [folder])
    monkeypatch.setattr(ctypes, "CDLL", loads)
    needed = [Library(file, "package") for file in ("liba.so", "libsystem.so", "libnowhere.so", "libdamaged.so")]
    assert [library.file for library in preload(needed)] == ["libnowhere.so", "libdamaged.so"]
    assert loaded == [str(folder / "liba.so"), "libsystem.so"]


def test_package_folders_are_those_of_both_layouts(tmp_path, monkeypatch):
    wanted = [tmp_path / "nvidia/cu13/lib", tmp_path / "nvidia/cudnn/lib"]
    for folder in (*wanted, tmp_path / "nvidia/cudnn/include", tmp_path / "other/cudnn/lib"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(cuda_libraries.site, "getsitepackages", lambda: [str(tmp_path)])
    assert [folder for folder in package_folders() if folder.is_relative_to(tmp_path)] == wanted


# Threads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quota", "cores"), [("150000 100000", 2), ("max 100000", 8), ("50000 100000", 1), ("", 8)])
def test_a_container_s_quota_limits_the_threads(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(devices, "_QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cores() == cores


def test_threads_and_arena_reach_onnx_runtime(model, monkeypatch):
    seen = []

    class Recording(FakeSession):
        takes = CPU

        def __init__(self, content, options, providers):
            super().__init__(content, options, providers)
            seen.append((options.intra_op_num_threads, options.enable_cpu_mem_arena))

    monkeypatch.setattr(onnxruntime, "InferenceSession", Recording)
    monkeypatch.setattr(sessions, "usable_cores", lambda: 5)
    for setting in (Setting("cpu"), Setting("cpu", 3, "keep"), Setting("cpu", 1, "off")):
        load(model, setting.device, setting.threads, setting.arena)
    assert seen == [(5, True), (3, True), (1, False)]


def has_cuda():
    return CUDA in onnxruntime.get_available_providers()


def real_gpus():
    return Path("/proc/driver/nvidia/gpus").exists()
