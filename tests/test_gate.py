"""The gate: memory, order, the length of the line, and each visitor's time."""

import threading
import time

import numpy as np
import pytest
import torch

import tiny_onnx
from zorse.backends.torch.backend import TorchBackend
from zorse.backends.torch.cost import pass_cost
from zorse.backends.torch.safetensors_file import blank_generator
from zorse.errors import ConfigError, ImageError
from zorse.imaging.io import Picture
from zorse.model.architecture import CompactConfig, ResnetConfig, UnetConfig
from zorse.networks.build import build_generator
from zorse.runtime.cost import PassCost
from zorse.runtime.streamed.execute import Progress
from zorse.runtime.translator import Translator
from zorse_app import gate as page_gate
from zorse_app.gate import Busy, Gate, GatedTranslator, TakesTooLong, TimeUsedUp
from zorse_app.limits import WINDOW, Limits, TooLarge
from zorse_app.stops import Stopped

UNIT = 100 * 10**6


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Workers:
    """Threads that go through a gate and stay inside until they are told to leave."""

    def __init__(self, gate):
        self.gate = gate
        self.inside = []
        self.may_leave = threading.Event()
        self.threads = []

    def start(self, name, needed):
        def run():
            with self.gate.work(needed):
                self.inside.append(name)
                assert self.may_leave.wait(10)

        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def settle(self, n_inside, n_waiting):
        for _ in range(500):
            if len(self.inside) == n_inside and self.gate.waiting == n_waiting:
                return
            time.sleep(0.01)
        pytest.fail(f"{self.inside} inside, {self.gate.waiting} waiting")

    def finish(self):
        self.may_leave.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def two_places(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def test_memory_decides_how_many_are_inside(two_places):
    workers = Workers(Gate(Limits(memory=3 * UNIT)))
    workers.start("large", 2 * UNIT)
    workers.settle(1, 0)
    workers.start("too large now", 2 * UNIT)
    workers.settle(1, 1)
    workers.start("would fit, but came later", UNIT)
    workers.settle(1, 2)
    workers.finish()
    assert workers.inside == ["large", "too large now", "would fit, but came later"]
    assert (workers.gate.waiting, workers.gate.working) == (0, 0)


def test_no_more_than_there_are_cores(two_places):
    workers = Workers(Gate(Limits(memory=100 * UNIT)))
    for name in range(3):
        workers.start(name, UNIT)
    workers.settle(2, 1)
    workers.finish()
    assert len(workers.inside) == 3


def test_work_larger_than_all_gets_all_alone(two_places):
    gate = Gate(Limits(memory=3 * UNIT))
    with gate.work(50 * UNIT) as granted:
        assert granted == 3 * UNIT
        with gate.work(50 * UNIT) as inner:  # a part of the same work does not wait for itself
            assert inner == 3 * UNIT
        assert gate.working == 1


def test_a_full_line_is_said(two_places):
    workers = Workers(Gate(Limits(memory=UNIT, queue=1)))
    workers.start("inside", UNIT)
    workers.settle(1, 0)
    workers.start("waiting", UNIT)
    workers.settle(1, 1)
    with pytest.raises(Busy, match="Try again"), workers.gate.work(UNIT):
        pass
    workers.finish()


def test_an_error_inside_makes_room_again():
    gate = Gate(Limits(memory=UNIT))
    with pytest.raises(ZeroDivisionError), gate.work(UNIT):
        raise ZeroDivisionError
    assert gate.working == 0
    with gate.work(UNIT):
        pass


def test_a_visitors_time_comes_back_after_ten_minutes():
    clock, visitor = Clock(), "ann"
    gate = Gate(Limits(seconds=10), lambda: visitor, clock)
    for _ in range(2):
        with gate.work(UNIT):
            clock.now += 6
    with pytest.raises(TimeUsedUp) as error, gate.work(UNIT):
        pass
    assert error.value.wait == pytest.approx(WINDOW - 6)
    visitor = "bob"
    with gate.work(UNIT):
        pass
    visitor = "ann"
    clock.now += WINDOW - 5
    with gate.work(UNIT):
        pass


FIRST, SECOND = Progress(0.1, 9.0), Progress(0.2, 8.0)


def test_streamed_work_ends_when_it_takes_longer_than_a_visitors_time():
    clock = Clock()
    gate = Gate(Limits(seconds=10), lambda: "ann", clock)
    told = []
    report = gate.timed(told.append)
    report(FIRST)
    clock.now += 11
    with pytest.raises(TimeUsedUp):
        report(SECOND)
    assert told == [FIRST]


def test_work_that_would_take_much_longer_ends_as_soon_as_that_is_known():
    clock, visitor = Clock(), "ann"
    gate = Gate(Limits(seconds=10), lambda: visitor, clock)
    report = gate.timed(None)
    clock.now += 2
    report(Progress(0.01, 200))  # the first tile says little
    report(Progress(0.15, 11))  # the machine may become faster
    with pytest.raises(TakesTooLong, match=r"about 42 seconds .* may have 10 .*smaller size"):
        report(Progress(0.05, 40))
    visitor = ""
    gate.timed(None)(Progress(0.05, 40))


def test_frames_that_are_let_in_together_share_a_visitors_time():
    clock = Clock()
    gate = Gate(Limits(seconds=10), lambda: "ann", clock)

    def slow(tensor):
        clock.now += 6
        return tensor

    translator = GatedTranslator(Translator(tiny_onnx.card(), slow), gate)
    frame = Picture(np.full((32, 32, 3), 55, np.uint8))
    with gate.work(UNIT):
        translator.translate(frame)
        translator.translate(frame)
        with pytest.raises(TimeUsedUp):
            translator.translate(frame)


def test_a_translator_works_with_what_it_is_granted():
    def translator(**limits):
        return GatedTranslator(Translator(tiny_onnx.card(), np.negative), Gate(Limits(**limits)))

    picture = Picture(np.full((40, 50, 3), 55, np.uint8))
    assert (translator(memory=UNIT).translate(picture).rgb == 200).all()
    assert (translator(memory=UNIT)(picture.rgb) == 200).all()
    large = Picture(np.zeros((900, 900, 3), np.uint8))
    with pytest.raises(ImageError, match="takes at least"):
        translator(memory=UNIT).translate(large, size="keep")
    with pytest.raises(TooLarge, match=r"more than 0\.8 million"):
        translator(pixels=800_000).translate(large)
    with pytest.raises(TooLarge, match="smaller size to work at"):
        translator(pixels=10**6).translate(picture, size=5000)


class AsCostly:
    """A backend that says what the architecture of its card takes."""

    def __init__(self, architecture):
        self.network = blank_generator(architecture).eval()

    def __call__(self, pictures):
        return -pictures

    @torch.inference_mode()
    def one_pass(self, height, width):
        return pass_cost(self.network, torch.empty(1, 3, height, width, device="meta"))


def translator_at(gate, **settings):
    card = tiny_onnx.card(**settings)
    return GatedTranslator(Translator(card, AsCostly(card.architecture)), gate)


@pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1)])
def test_sides_have_a_limit(size):
    with pytest.raises(TooLarge, match=rf"{size[1]} x {size[0]} pixels; .* at most 65535 .* smaller"):
        translator_at(Gate()).needed(*size, {})
    translator_at(Gate(Limits(side=70_000))).needed(*size, {})


def test_what_the_network_computes_has_a_limit():
    gate, light, heavy = Gate(), CompactConfig(), ResnetConfig()
    translator_at(gate, architecture=light).needed(128, 128, {"size": "keep"}, frames=3000)
    with pytest.raises(TooLarge, match=r"compute 49.* million pixels .* at most 2\d.* million .* fewer frames"):
        translator_at(gate, architecture=heavy).needed(128, 128, {"size": "keep"}, frames=3000)
    photo = (4024, 6048)
    translator_at(gate, architecture=heavy).needed(*photo, {"size": "keep"})
    with pytest.raises(TooLarge, match="smaller size to work at"):
        translator_at(gate, architecture=heavy).needed(*photo, {"size": "keep"}, frames=2)
    translator_at(Gate(Limits(pixels=2 * 60 * 10**6)), architecture=heavy).needed(*photo, {"size": "keep"}, frames=2)


def test_padding_counts():
    wide = translator_at(Gate(), architecture=UnetConfig(), native_size=256)  # whose shortest side is 256
    with pytest.raises(TooLarge, match="compute"):
        wide.needed(16, 60_000, {"size": "keep"}, frames=20)


@pytest.mark.parametrize("strip", [(1, 65_000), (200, 65_000), (65_000, 1)])
@pytest.mark.parametrize("architecture", [CompactConfig(), UnetConfig()])
def test_the_memory_of_a_strip_is_that_of_its_pixels(strip, architecture):
    needed = translator_at(Gate(), architecture=architecture, native_size=256).needed
    assert needed(*strip, {}) < 1.5 * needed(2048, 2048, {"size": "keep"})


class Whole:
    """A backend whose pieces cannot be computed."""

    on_gpu = False

    def __call__(self, pictures):
        return -pictures

    def kernels(self):
        raise ConfigError("in one piece only")

    def one_pass(self, height, width):
        return PassCost(1000 * height * width, 1000 * height * width)


def test_large_pictures_tell_how_far_they_are_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(page_gate, "_ONE_PASS", 100 * 100)
    monkeypatch.setattr(page_gate, "_LEAST", 200 * 10**6)
    config = CompactConfig(base_channels=4, n_blocks=1, finish_channels=4)
    card = tiny_onnx.card(architecture=config, native_size=64)
    torch.manual_seed(0)
    backend = TorchBackend(build_generator(config), card, "cpu")
    translator = GatedTranslator(Translator(card, backend), Gate())
    small, large = (Picture(np.full((side, 120, 3), 55, np.uint8)) for side in (80, 240))
    heard = []
    wanted = translator.translate(large, size="keep", tiling="whole", report=heard.append)
    translator.translate(small, size="keep", report=heard.append)
    assert heard == []
    found = translator.translate(large, size="keep", report=heard.append)
    assert heard[-1].done == pytest.approx(1)
    assert np.abs(found.rgb.astype(int) - wanted.rgb).max() <= 1

    def stop(_progress):
        raise Stopped

    with pytest.raises(Stopped):
        translator.translate(large, size="keep", report=stop)


def test_what_cannot_go_in_tiles_goes_in_one_piece(monkeypatch):
    monkeypatch.setattr(page_gate, "_ONE_PASS", 100)
    picture = Picture(np.full((40, 50, 3), 55, np.uint8))
    translated = GatedTranslator(Translator(tiny_onnx.card(), Whole()), Gate()).translate(picture, size="keep")
    assert (translated.rgb == 200).all()


@pytest.mark.parametrize("size", [(257, 256), (480, 640), (300, 1000), (1200, 1600)])
@pytest.mark.parametrize("native_size", [250, 256])
def test_what_is_granted_suffices_for_one_pass(monkeypatch, size, native_size):
    monkeypatch.setattr(page_gate, "_LEAST", 0)
    picture = Picture(np.full((*size, 3), 55, np.uint8))
    translator = GatedTranslator(Translator(tiny_onnx.card(native_size=native_size), Whole()), Gate())
    assert (translator.translate(picture).rgb == 200).all()
