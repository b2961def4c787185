"""Streaming gives what one pass over the whole picture gives: for every generator, size, tiling and budget."""

import dataclasses
import errno
import os
import weakref
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zorse.backends.onnx.sessions import Session
from zorse.backends.torch.backend import TorchBackend
from zorse.errors import ImageError
from zorse.model.architecture import CompactConfig, Norm, ResnetConfig, UnetConfig
from zorse.model.card import ModelCard
from zorse.networks.build import build_generator
from zorse.runtime.devices import CPU, Setting
from zorse.runtime.streamed import execute, plan
from zorse.runtime.streamed.execute import Progress, stream
from zorse.runtime.streamed.geometry import Span, Window
from zorse.runtime.streamed.moments import Moments
from zorse.runtime.streamed.plan import TooLittleMemory, plan_exact, plan_settled, tiles_of, whole_pass_size
from zorse.runtime.streamed.shelf import KeptMap

TOLERANCE = 1e-3
"""Of values in [-1, 1]: what is promised. The networks here stay far below."""
PLENTY = 10**10

RESNETS = [
    ResnetConfig(base_channels=4, n_blocks=2),
    ResnetConfig(base_channels=4, n_blocks=0, norm="none"),
    ResnetConfig(base_channels=4, n_blocks=1, upsampling="resize", downsampling="blur", dropout=True),
    ResnetConfig(base_channels=4, n_blocks=1, upsampling="bilinear", norm="instance_affine"),
    ResnetConfig(base_channels=4, n_blocks=1, norm="batch"),
]
UNETS = [
    UnetConfig(base_channels=4, depth=3, norm="instance"),
    UnetConfig(base_channels=2, depth=5),
    UnetConfig(base_channels=4, depth=3, norm="none", dropout=False),
    UnetConfig(base_channels=4, depth=4, norm="instance_affine"),
]
COMPACTS = [
    CompactConfig(base_channels=8, n_blocks=3, finish_channels=4),
    CompactConfig(base_channels=8, n_blocks=1, finish_channels=4, norm="batch"),
    CompactConfig(base_channels=8, n_blocks=4, finish_channels=4, norm="instance_affine"),
]
MODELS = [
    (config, statistics)
    for config in (*RESNETS, *UNETS, *COMPACTS)
    for statistics in (("picture", "running") if config.norm == "batch" else ("picture",))
]


class Generator:
    """A network whose weights, biases and statistics all matter, its whole-picture pass and its kernels."""

    def __init__(self, config, statistics):
        self.config = config
        card = ModelCard(
            name="tiny", task="t", domain_a="a", domain_b="b", architecture=config, norm_at_test=statistics
        )
        torch.manual_seed(0)
        network = build_generator(config)
        with torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                if tensor.is_floating_point():
                    tensor.copy_(0.3 * torch.randn_like(tensor) if tensor.ndim > 1 else torch.rand_like(tensor) + 0.1)
        backend = TorchBackend(network, card, "cpu", 1)
        self.whole = backend
        self.kernels = backend.kernels()


def open_session(content):
    return Session(Path("tiny.kernels"), content, CPU, Setting("cpu", 1, "off"))


GENERATORS = {}


def generator(config, statistics="picture"):
    key = config, statistics
    if key not in GENERATORS:
        GENERATORS[key] = Generator(config, statistics)
    return GENERATORS[key]


def picture_of(height, width, seed=0):
    """Areas and noise, so that borders and statistics of every part differ."""
    random = np.random.default_rng(seed)
    slope = np.linspace(-0.8, 0.5, height)[:, None] * np.ones(width)
    return np.clip(slope + random.normal(0, 0.3, (1, 3, height, width)), -1, 1).astype(np.float32)


def streamed(kernels, plan, picture, report=None, norms=None):
    result = np.full_like(picture, np.nan)
    times = np.zeros(picture.shape[2:], int)

    def write(window, tile):
        result[:, :, *window.slices] = tile
        times[window.slices] += 1

    stream(plan, kernels, lambda window: np.ascontiguousarray(picture[:, :, *window.slices]), write, report, norms)
    assert (times == 1).all(), "each pixel is written once"
    return result


def in_tiles(plan, rows, columns, *, spilled=False):
    tiles = [(min(rows, height), min(columns, width)) for height, width in (plan.sizes[s.target] for s in plan.stages)]
    return dataclasses.replace(
        plan, tiles=tuple(tiles), spilled=frozenset(range(len(plan.buffers))) if spilled else frozenset()
    )


# The same result -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "statistics"), MODELS, ids=str)
def test_every_generator(config, statistics):
    tiny = generator(config, statistics)
    kernels = tiny.kernels
    multiple = config.size_multiple
    picture = picture_of(max(28, multiple) // multiple * multiple, -(-20 // multiple) * multiple)
    plan = plan_exact(kernels.program, *picture.shape[2:], PLENTY)
    np.testing.assert_allclose(streamed(kernels, in_tiles(plan, 5, 7), picture), tiny.whole(picture), atol=TOLERANCE)


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 100, 1001])
@pytest.mark.parametrize("largest", [1, 3, 15, 16, 17, 40])
def test_tiles_divide_a_map(size, largest):
    spans = [window.rows for window in plan.tiles_of((size, 1), (largest, 1))]
    assert [place for span in spans for place in range(*span)] == list(range(size))
    assert max(span.length for span in spans) <= largest
    assert len(spans) == 1 or size > largest
    assert largest < 16 or all(span.start % 4 == 0 for span in spans)


@pytest.mark.parametrize("config", [RESNETS[0], UNETS[0], COMPACTS[0]], ids=lambda config: config.kind)
def test_weights_that_are_handed_over_with_each_tile(config, monkeypatch):
    monkeypatch.setattr("zorse.runtime.streamed.program._HEAVY", 0)
    tiny = generator(config)
    picture = picture_of(32, 48)
    plan = in_tiles(plan_exact(tiny.kernels.program, 32, 48, PLENTY), 7, 9)
    np.testing.assert_allclose(streamed(tiny.kernels, plan, picture), tiny.whole(picture), atol=TOLERANCE)


def test_convolutions_by_faster_algorithms():
    tiny = generator(ResnetConfig(base_channels=16, n_blocks=1))  # 64 channels in the block
    picture = picture_of(64, 48)
    plan = in_tiles(plan_exact(tiny.kernels.program, 64, 48, PLENTY), 7, 9)
    plain = dataclasses.replace(tiny.kernels, open_session=open_session)
    np.testing.assert_allclose(streamed(tiny.kernels, plan, picture), tiny.whole(picture), atol=TOLERANCE)
    assert np.abs(streamed(tiny.kernels, plan, picture) - streamed(plain, plan, picture)).max() > 0


def test_pieces_are_prepared_once_and_a_row_of_them_is_held():
    tiny = generator(RESNETS[0])
    held, most, made = set(), [], []

    class Counting(Forgetful):
        def compile(self, piece, norms):
            compute = self.kernels.compile(piece, norms)

            def computed(tiles):
                return compute(tiles)

            made.append((piece, tuple(sorted(norms))))
            held.add(len(made))
            weakref.finalize(computed, held.discard, len(made))
            most.append(len(held))
            return computed

    picture = picture_of(128, 128)
    plan = in_tiles(plan_exact(tiny.kernels.program, 128, 128, PLENTY), 17, 17)
    streamed(Counting(tiny.kernels, PLENTY), plan, picture)
    assert max(most) == 3
    assert len(made) == len(set(made))


def test_every_setting_of_the_architectures_is_streamed_here():
    configs = [config for config, _ in MODELS]
    for kind in {type(config) for config in configs}:
        for name, field in kind.model_fields.items():
            if name != "norm" and get_origin(field.annotation) is Literal:
                tried = {getattr(config, name) for config in configs if isinstance(config, kind)}
                assert tried == set(get_args(field.annotation)), f"{kind.__name__}.{name}"
    assert {config.norm for config in configs} == set(get_args(Norm))


@given(
    model=st.sampled_from(MODELS),
    size=st.tuples(st.integers(2, 10), st.integers(2, 10)),
    tile=st.one_of(
        st.tuples(st.integers(1, 12), st.just(1000)),
        st.tuples(st.integers(5, 40), st.integers(5, 40)),
    ),
    spilled=st.booleans(),
    saves_memory=st.booleans(),
)
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_size_and_any_tiles(model, size, tile, spilled, saves_memory):
    tiny = generator(*model)
    kernels = tiny.kernels
    multiple = model[0].size_multiple
    height, width = (-(-(8 + 4 * side) // multiple) * multiple for side in size)
    picture = picture_of(height, width, seed=height)
    plan = plan_exact(kernels.program, height, width, PLENTY)
    if saves_memory:
        plan = cheapest(kernels.program, height, width)
    result = streamed(kernels, in_tiles(plan, *tile, spilled=spilled), picture)
    np.testing.assert_allclose(result, tiny.whole(picture), atol=TOLERANCE)


def cheapest(program, height, width):
    """A plan in the least memory that is enough."""
    try:
        plan_exact(program, height, width, 0)
    except TooLittleMemory as error:
        return plan_exact(program, height, width, error.least)
    raise AssertionError("nothing takes no memory")


@pytest.mark.parametrize("config", [RESNETS[0], UNETS[1], COMPACTS[0]], ids=lambda config: config.kind)
def test_any_budget(config):
    tiny = generator(config)
    picture = picture_of(96, 160)
    expected = tiny.whole(picture)
    program = tiny.kernels.program
    least = cheapest(program, 96, 160)
    assert least.spilled
    assert least.tiles != plan_exact(program, 96, 160, PLENTY).tiles
    np.testing.assert_allclose(streamed(tiny.kernels, least, picture), expected, atol=TOLERANCE)
    with pytest.raises(TooLittleMemory):
        plan_exact(program, 96, 160, 1_000_000)


@pytest.mark.parametrize("config", [RESNETS[0], UNETS[1], COMPACTS[0]], ids=lambda config: config.kind)
def test_little_memory_does_not_mean_countless_tiles(config):
    program = generator(config).kernels.program
    least = cheapest(program, 384, 384)
    roomier = plan_exact(program, 384, 384, least.needed + 16_000_000)
    assert number_of_tiles(plan_exact(program, 384, 384, least.needed + 2**20)) < 600
    assert number_of_tiles(roomier) < 120
    assert not roomier.spilled
    assert roomier.needed <= least.needed + 16_000_000


def number_of_tiles(plan):
    return sum(
        len(list(tiles_of(plan.sizes[stage.target], tile))) for stage, tile in zip(plan.stages, plan.tiles, strict=True)
    )


def test_a_settled_plan_with_the_pictures_own_statistics_is_exact():
    for config in (RESNETS[0], COMPACTS[0], UNETS[0]):
        tiny = generator(config)
        picture = picture_of(64, 48)
        measuring = plan_exact(tiny.kernels.program, 64, 48, PLENTY)
        norms = stream(
            measuring, tiny.kernels, lambda w, p=picture: p[:, :, *w.slices].copy(), lambda _window, _tile: None
        )
        for keep in ("costly", "sums", "nothing"):
            settled = plan._plan(plan._settled(tiny.kernels.program), 64, 48, PLENTY, keep, PLENTY)
            result = streamed(tiny.kernels, in_tiles(settled, 11, 48), picture, norms=norms)
            np.testing.assert_allclose(result, tiny.whole(picture), atol=TOLERANCE)


@pytest.mark.parametrize("config", [CompactConfig(), ResnetConfig()], ids=lambda config: config.kind)
def test_known_statistics_need_fewer_stages_and_maps(config):
    program = program_of(config)
    exact, settled = (make(program, 4096, 4096, 10**9) for make in (plan_exact, plan_settled))
    assert len(settled.stages) == 1 + config.n_blocks < len(exact.stages)
    assert len(settled.buffers) <= len(exact.buffers)


def test_a_unet_with_known_statistics_still_keeps_its_maps():
    program = program_of(UnetConfig(dropout=False))
    assert len(plan_settled(program, 1024, 1024, 2 * 10**9).stages) > 10


def test_moments_of_tiles_are_those_of_the_whole():
    random = np.random.default_rng(0)
    values = (100 + random.normal(0, 0.01, (1, 2, 300, 400))).astype(np.float32)
    moments = Moments(2)
    for rows in (slice(0, 1), slice(1, 130), slice(130, 131), slice(131, 300)):
        for columns in (slice(0, 399), slice(399, 400)):
            moments.add(values[:, :, rows, columns])
    exact = values.astype(np.float64)[0]
    np.testing.assert_allclose(moments.mean, exact.mean((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(moments.variance, exact.var((1, 2)), rtol=1e-5)


# Memory --------------------------------------------------------------------------------------------------------------


class Forgetful:
    """Kernels with room for tiles of so many places only, as on a GPU whose memory others use, too."""

    def __init__(self, kernels, most):
        self.kernels, self.most, self.refused = kernels, most, 0
        self.program, self.weights = kernels.program, kernels.weights
        self.comfortable, self.held = kernels.comfortable, 0

    def compile(self, piece, norms):
        compute = self.kernels.compile(piece, norms)

        def compute_small(tiles):
            if max(tile.shape[2] * tile.shape[3] for tile in tiles) > self.most:
                self.refused += 1
                raise MemoryError
            return compute(tiles)

        return compute_small


@pytest.mark.parametrize("tile", [(1000, 1000), (13, 1000), (40, 9)])
def test_too_little_memory_halves_the_tile_and_goes_on(tile):
    tiny = generator(RESNETS[0])
    kernels = Forgetful(tiny.kernels, 600)
    picture = picture_of(64, 48)
    plan = in_tiles(plan_exact(kernels.program, 64, 48, PLENTY), *tile)
    np.testing.assert_allclose(streamed(kernels, plan, picture), tiny.whole(picture), atol=TOLERANCE)
    assert kernels.refused


def test_no_memory_at_all_ends_the_run():
    tiny = generator(COMPACTS[0])
    with pytest.raises(MemoryError):
        streamed(Forgetful(tiny.kernels, 0), plan_exact(tiny.kernels.program, 16, 16, PLENTY), picture_of(16, 16))


def test_kept_maps_of_residual_blocks_take_turns_in_two_places():
    config = ResnetConfig()
    program = program_of(config)
    plan = plan_exact(program, 2048, 2048, 10**9)
    quarter = 256 * 512 * 512 * 4
    assert [buffer.size for buffer in plan.buffers] == [quarter, quarter]
    assert not plan.spilled
    assert plan_exact(program, 2048, 2048, 6 * 10**8).spilled
    assert 3.7 * 10**9 < whole_pass_size(program, 2048, 2048) < 8 * 10**9, "3.7 GB were measured"


@cache
def program_of(config):
    network = build_generator(config)
    card = ModelCard(name="large", task="t", domain_a="a", domain_b="b", architecture=config)
    return TorchBackend(network, card, "cpu").kernels().program


def test_maps_in_files_and_in_memory_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    tile = np.random.default_rng(0).normal(size=(1, 2, 3, 4)).astype(np.float32)
    for spilled in (False, True):
        kept = KeptMap((2, 10, 12), spilled=spilled)
        kept.write(Window(Span(7, 10), Span(1, 5)), tile)
        np.testing.assert_array_equal(kept.read(Window(Span(8, 10), Span(2, 4))), tile[:, :, 1:, 1:3])
        assert os.name == "nt" or not list(tmp_path.iterdir()), "nothing is left, even if the process is killed now"


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="files are reserved in another way here")
def test_a_full_disk_says_what_to_do(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(ImageError, match=r"temporary file of 100 MB .*No space .*TMPDIR"):
        KeptMap((25, 1000, 1000), spilled=True)


# Progress ------------------------------------------------------------------------------------------------------------


def test_progress_grows_to_the_end():
    seen: list[Progress] = []
    tiny = generator(COMPACTS[0])
    plan = in_tiles(plan_exact(tiny.kernels.program, 64, 64, PLENTY), 5, 64)
    streamed(tiny.kernels, plan, picture_of(64, 64), report=seen.append)
    shares = [progress.done for progress in seen]
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert seen[-1].remaining == pytest.approx(0, abs=0.1)
    assert all(progress.remaining >= 0 for progress in seen)


def test_an_exception_of_the_report_ends_the_run():
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.done > 0.5:
            raise Stopped

    tiny = generator(COMPACTS[0])
    with pytest.raises(Stopped):
        streamed(tiny.kernels, plan_exact(tiny.kernels.program, 64, 64, PLENTY), picture_of(64, 64), report=stop)


def test_tiles_that_cannot_be_halved():
    one = Window(Span(0, 1), Span(0, 1))
    with pytest.raises(MemoryError):
        execute._halved([one])
