"""The translator streams what does not fit into one pass, within the memory that it is given."""

import dataclasses
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import tiny_onnx
import zorse
from zorse.backends.onnx.backend import OnnxBackend
from zorse.backends.onnx.rewrite import faster
from zorse.backends.onnx.sessions import Session
from zorse.backends.torch.backend import TorchBackend
from zorse.cli import main
from zorse.errors import ConfigError, ImageError
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.model.card import ModelCard
from zorse.model.model_file import read_network
from zorse.networks.build import build_generator
from zorse.runtime import passes
from zorse.runtime.devices import CPU
from zorse.runtime.streamed.plan import plan_exact
from zorse.runtime.translator import Translator
from zorse.system import memory
from zorse.system.memory import available_memory, format_memory, parse_memory
from zorse_export import export_onnx


def photo(height, width, dtype=np.uint8):
    """Slopes and noise over the whole range."""
    random = np.random.default_rng(0)
    slope = np.linspace(40, 180, width)[None, :, None] * np.ones((height, 1, 3))
    pixels = np.clip(slope + random.normal(0, 30, slope.shape), 0, 255).astype(np.uint8)
    return pixels.astype(dtype) * (np.iinfo(dtype).max // 255)


def card_of(config, **changes):
    return ModelCard(name="tiny", task="t", domain_a="a", domain_b="b", architecture=config, native_size=32, **changes)


def translator_of(config, **changes):
    torch.manual_seed(0)
    card = card_of(config, **changes)
    return Translator(card, TorchBackend(build_generator(config), card, "cpu"))


@pytest.fixture(scope="module")
def shipped():
    return zorse.load("horse2zebra", "cpu", threads=1)


@pytest.fixture
def tiny():
    return translator_of(CompactConfig(base_channels=8, n_blocks=2, finish_channels=4))


@pytest.fixture
def hungry():
    """One pass over 600x600 pixels takes more than 100 MB."""
    return translator_of(CompactConfig(base_channels=8, n_blocks=1, finish_channels=40))


# Exact ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", [CPU, "ElsewhereExecutionProvider"])
def test_pieces_are_rewritten_for_cpus_only(shipped, provider, monkeypatch):
    network, opened = shipped.backend, []
    content = read_network(network.file).content
    monkeypatch.setattr(network, "provider", provider)
    monkeypatch.setattr("zorse.backends.onnx.backend.Session", lambda file, given, *settings: opened.append(given))
    network._open(content)
    assert opened == [faster(content) if provider == CPU else content]
    assert faster(content) != content


def test_shipped_models_stream_from_their_files(shipped):
    pixels = photo(151, 203)
    whole = shipped(pixels, size="keep", tiling="whole").astype(int)
    exact = shipped(pixels, size="keep", tiling="exact", max_memory="90MB").astype(int)
    assert np.abs(whole - exact).max() <= 1
    assert np.abs(whole - pixels).max() > 10, "the model does something"


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (17, 16), (61, 47)])
def test_any_shape(tiny, shape):
    pixels = photo(*shape)
    whole = tiny(pixels, size="keep", tiling="whole").astype(int)
    assert np.abs(tiny(pixels, size="keep", tiling="exact").astype(int) - whole).max() <= 1


@pytest.mark.parametrize("shape", [(33, 40), (40, 33), (49, 17)])
def test_tiles_that_lie_in_the_padding(shape, monkeypatch):
    def in_single_rows(*arguments):
        plan = plan_exact(*arguments)
        return dataclasses.replace(plan, tiles=tuple((1, 8) for _ in plan.tiles))

    translator = translator_of(UnetConfig(base_channels=4, depth=4, norm="instance", dropout=False))
    whole = translator(photo(*shape), size="keep", tiling="whole").astype(int)
    monkeypatch.setattr(passes, "plan_exact", in_single_rows)
    assert np.abs(translator(photo(*shape), size="keep", tiling="exact").astype(int) - whole).max() <= 1


@pytest.mark.parametrize("strength", [1.0, 0.3])
@pytest.mark.parametrize("size", ["keep", "native", 50])
def test_alpha_strength_depth_and_working_size(tiny, size, strength):
    pixels = np.dstack([photo(45, 70, np.uint16), np.linspace(0, 65535, 45 * 70).reshape(45, 70).astype(np.uint16)])
    options = {"size": size, "strength": strength}
    whole = tiny(pixels, tiling="whole", **options).astype(int)
    exact = tiny(pixels, tiling="exact", **options).astype(int)
    assert exact.shape == pixels.shape
    assert np.abs(whole - exact).max() <= 257


def test_exported_scales_and_shifts_are_found(tmp_path):
    config = UnetConfig(base_channels=2, depth=3)
    card = card_of(config)
    network = build_generator(config)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.add_(0.2 * torch.rand_like(tensor))
    export_onnx(network, card, tmp_path / "unet.onnx", "fp16")
    backend = OnnxBackend(tmp_path / "unet.onnx", "cpu", 1)
    translator = Translator(backend.card, backend)
    pixels = photo(37, 41)
    whole = translator(pixels, size="keep", tiling="whole").astype(int)
    assert np.abs(translator(pixels, size="keep", tiling="exact").astype(int) - whole).max() <= 1


def test_streaming_needs_no_torch():
    program = (
        "import sys, numpy, zorse\n"
        "zorse.load('horse2zebra', 'cpu')(numpy.zeros((40, 40, 3), numpy.uint8), size='keep', tiling='exact')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Memory --------------------------------------------------------------------------------------------------------------


class Spy:
    """A backend that notes how it was used."""

    def __init__(self, backend, error=None):
        self.backend, self.error, self.used = backend, error, []
        self.on_gpu = False

    def __call__(self, pictures):
        self.used.append("whole")
        if self.error is not None:
            raise self.error
        return self.backend(pictures)

    def kernels(self):
        self.used.append("streamed")
        return self.backend.kernels()

    def one_pass(self, height, width):
        return self.backend.one_pass(height, width)


def test_auto_streams_only_what_does_not_fit(hungry):
    spy = Spy(hungry.backend)
    translator = Translator(hungry.card, spy)
    large = photo(600, 600)
    translator(large, size="keep", max_memory="1GB")
    assert spy.used == ["whole"]
    translator(large, size="keep", max_memory="80MB")
    assert spy.used == ["whole", "streamed"]
    translator(large, size="native", max_memory="80MB")
    assert spy.used == ["whole", "streamed", "whole"], "the network sees a small picture"


PEAK = """
import sys
from pathlib import Path
import numpy as np
from zorse import load
def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
translator = load(sys.argv[1], "cpu", 2)
picture = np.random.default_rng(0).integers(0, 256, (901, 701, 3), dtype=np.uint8)
Path("/proc/self/clear_refs").write_text("5")  # opening a model takes more than one that is open
before = resident("VmRSS") - picture.nbytes
translator(picture, size="keep", max_memory="230MB", report=lambda _: sys.exit("streamed"))
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux for the peak")
def test_one_pass_takes_what_it_is_estimated_to(shipped):
    """A tenth more may lie about; more sizes and networks in tests/benchmarks/one_pass.py."""
    command = [sys.executable, "-c", PEAK, str(shipped.backend.file)]
    taken = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    estimated = shipped.backend.one_pass(904, 704).memory + 2 * 901 * 701 * 3
    assert taken < 1.1 * 230e6
    assert estimated / 1.7 < taken < 1.1 * estimated


def test_auto_streams_where_one_pass_runs_out_of_memory(tiny):
    spy = Spy(tiny.backend, MemoryError())
    pixels = photo(40, 40)
    result = Translator(tiny.card, spy)(pixels, size="keep", max_memory="1GB")
    assert spy.used == ["whole", "streamed"]
    assert np.abs(result.astype(int) - tiny(pixels, size="keep")).max() <= 1


def test_a_failed_pass_is_free_before_streaming_begins(tiny):
    class Map:
        """Stands for the maps that a failed pass still holds."""

    maps = []

    class Backend(Spy):
        def __call__(self, pictures):
            held = Map()
            maps.append(weakref.ref(held))
            raise MemoryError

        def kernels(self):
            assert maps[0]() is None
            return super().kernels()

    Translator(tiny.card, Backend(tiny.backend))(photo(40, 40), size="keep", max_memory="1GB")
    assert maps


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_gpu_that_runs_out_of_memory_gets_tiles(tiny, monkeypatch, error):
    pixels = photo(90, 70)
    expected = tiny(pixels, size="keep").astype(int)
    convolve, areas = torch.nn.functional.conv2d, []

    def conv2d(maps, *arguments, **options):
        areas.append(maps.shape[2] * maps.shape[3])
        if areas[-1] > 700:
            raise error
        return convolve(maps, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    result = tiny(pixels, size="keep")
    assert max(areas) > 90 * 70, "one pass was tried"
    assert np.abs(result - expected).max() <= 1


def test_a_gpu_with_too_little_memory_for_anything_is_said(tiny, monkeypatch):
    def compute(*_arguments):
        raise MemoryError

    tiny.backend.kernels()
    monkeypatch.setattr(TorchBackend, "__call__", compute)
    monkeypatch.setattr(Session, "run", compute)
    with pytest.raises(ImageError, match="needs more memory than is free"):
        tiny(photo(20, 20), size="keep")


def test_onnx_runtime_out_of_memory_gets_smaller_tiles(shipped, monkeypatch):
    """Its own message, of an allocator that has reached its limit."""
    pixels = photo(128, 96)
    expected = shipped(pixels, size="keep").astype(int)
    sessions, refused = onnxruntime.InferenceSession.run, []

    def run(self, outputs, inputs, *arguments):
        if max(array.shape[2] * array.shape[3] for array in inputs.values()) > 1000:
            refused.append(1)
            raise RuntimeError("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 9")
        return sessions(self, outputs, inputs, *arguments)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", run)
    assert np.abs(shipped(pixels, size="keep") - expected).max() <= 1
    assert len(refused) > 2


def test_free_memory_is_the_default_limit(hungry, monkeypatch):
    spy = Spy(hungry.backend)
    translator = Translator(hungry.card, spy)
    monkeypatch.setattr(passes, "available_memory", lambda: 140_000_000)
    translator(photo(600, 600), size="keep")
    assert spy.used == ["streamed"]
    monkeypatch.setattr(passes, "available_memory", lambda: 20_000_000)
    with pytest.raises(ImageError, match=r"600x600 takes at least \d+ MB .* half of what is free"):
        translator(photo(600, 600), size="keep")


def least_memory(translator, pixels, **options):
    with pytest.raises(ImageError, match=r"takes at least \d+ MB .*1 MB may be used.*--max-memory") as caught:
        translator(pixels, size="keep", max_memory="1MB", **options)
    return str(caught.value).split("--max-memory ")[1].split(")")[0]


@pytest.mark.parametrize("tiling", ["auto", "exact", "fast"])
@pytest.mark.parametrize("model", ["tiny", "shipped"])
def test_an_impossible_budget_names_the_least_possible_one(model, tiling, request):
    translator, pixels = request.getfixturevalue(model), photo(40, 30)
    least = least_memory(translator, pixels, tiling="exact" if tiling == "auto" else tiling)
    assert translator(pixels, size="keep", max_memory=least, tiling=tiling).shape == pixels.shape


def test_a_backend_that_cannot_stream(hungry):
    plain = Translator(hungry.card, lambda tensor: tensor)
    assert plain(photo(20, 20), size="keep").shape == (20, 20, 3)
    with pytest.raises(ConfigError, match="whole pictures only"):
        plain(photo(20, 20), size="keep", tiling="exact")
    with pytest.raises(ImageError, match="takes at least"):
        plain(photo(600, 600), size="keep", max_memory="60MB")


def test_dropout_at_test_time_cannot_be_streamed():
    translator = translator_of(UnetConfig(base_channels=2, depth=3), dropout_at_test=True)
    with pytest.raises(ConfigError, match="dropout"):
        translator(photo(20, 20), size="keep", tiling="exact")


@pytest.mark.parametrize("tiling", ["tiles", ""])
def test_unknown_tilings(tiny, tiling):
    with pytest.raises(ConfigError, match="tiling"):
        tiny(photo(20, 20), tiling=tiling)


# The approximation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        CompactConfig(base_channels=8, n_blocks=2, finish_channels=4, norm="none"),
        ResnetConfig(base_channels=4, n_blocks=1, norm="none"),
        UnetConfig(base_channels=4, depth=3, norm="none", dropout=False),
    ],
)
def test_fast_is_exact_where_there_are_no_statistics(config):
    translator = translator_of(config)
    pixels = photo(130, 90)
    exact, fast = (translator(pixels, size="keep", tiling=tiling).astype(int) for tiling in ("whole", "fast"))
    assert np.abs(exact - fast).max() <= 1


def test_fast_shows_no_tiles_and_is_never_chosen_silently(hungry, monkeypatch):
    pixels = photo(300, 200)
    exact, fast, in_tiles = (
        hungry(pixels, size="keep", **options).astype(int)
        for options in ({"tiling": "exact"}, {"tiling": "fast"}, {"tiling": "fast", "max_memory": "75MB"})
    )
    assert np.abs(exact - fast).max() > 0, "it is an approximation"
    assert np.abs(fast - in_tiles).max() <= 1

    def forbidden(*_arguments, **_options):
        raise AssertionError("an approximation that nobody asked for")

    monkeypatch.setattr(passes, "plan_settled", forbidden)
    hungry(pixels, size="keep", max_memory="75MB")


# Amounts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("800 mb", 8 * 10**8), ("1.5GiB", 3 * 2**29), ("64k", 64_000), ("123", 123), ("7B", 7)],
)
def test_amounts(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 elephants", "1e9"])
def test_no_amounts(text):
    with pytest.raises(ConfigError, match="Write it like 2GB"):
        parse_memory(text)


def test_amounts_are_rounded_up():
    assert format_memory(57_000_001) == "58 MB"
    assert format_memory(2_010_000_000) == "2.1 GB"
    assert parse_memory(format_memory(57_000_001)) >= 57_000_001


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    assert available_memory() > 0
    (tmp_path / "memory.max").write_text("300000000\n")
    (tmp_path / "memory.current").write_text("100000000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert available_memory() == 200_000_000
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 60000000\n")
    assert available_memory() == 260_000_000, "what is cached of files can be had"
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() > 0


def test_a_limit_anywhere_above_a_process_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text("1:name=systemd:/\n0::/user/app\n")
    for group, limit in (("user", "9000000"), ("user/app", "max"), (".", "max")):
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / group / "memory.max").write_text(limit)
        (tmp_path / group / "memory.current").write_text("2000000")
    assert available_memory() == 7_000_000
    (tmp_path / "cgroup").write_text("0::/../elsewhere\n")
    assert available_memory() > 7_000_000


def test_a_size_that_no_memory_holds(tmp_path):
    translator = Translator(tiny_onnx.card(), lambda tensor: tensor)
    with pytest.raises(ConfigError, match="1 to 1000000 pixels"):
        translator(photo(8, 8), size=10**12)
    with pytest.raises(ImageError, match="needs more memory than is free"):
        translator(photo(8, 8), size=10**6)


# Command line --------------------------------------------------------------------------------------------------------


def test_command_line(tmp_path, monkeypatch, capsys):
    model = tiny_onnx.write(tmp_path / "tiny.onnx")
    Image.fromarray(photo(30, 30)).save(tmp_path / "a.png")

    def run(*options):
        command = ["zorse", "translate", str(tmp_path / "a.png"), "-m", str(model), "--device", "cpu", "--size", "keep"]
        monkeypatch.setattr(sys, "argv", [*command, "-o", str(tmp_path / "b.png"), *options])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, " ".join(capsys.readouterr().err.split())

    assert run("--max-memory", "2GB")[0] == 0
    code, message = run("--max-memory", "lots")
    assert code == 2
    assert "not an amount of memory" in message
    assert run("--tiling", "some")[0] == 2
    assert run("--tiling", "exact")[0] == 0
