"""The tab that trains, over HTTP as a visitor's browser uses it, and the words that it is made of."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import gradio_client
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import tiny_onnx
from tiny_page import serve
from tiny_training import draw_unpaired
from zorse.data.doctor.findings import Check
from zorse.imaging.io import read_picture
from zorse.training.observers.recorder.alarms import ALARMS
from zorse_app import Service, Shelf, texts
from zorse_app.tabs.train_begin import _range
from zorse_app.training_desk import Desk, State
from zorse_app.training_desk.progress import Alarm
from zorse_app.training_report import alarms, duration

STEPS = 10


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny_onnx.write(folder / "day2night.onnx", model_card=tiny_onnx.card(name="day2night"))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk") / "runs"
    yield folder
    Desk(folder).end_all_at_once()


@pytest.fixture(scope="module")
def page(runs, models):
    with serve(runs, STEPS, models) as url:
        yield gradio_client.Client(url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zips")
    drawn = draw_unpaired(folder / "drawn")
    for side in "AB":
        with zipfile.ZipFile(folder / f"{side}.zip", "w") as archive:
            for file in (drawn / f"train{side}").iterdir():
                archive.write(file, file.name)
    return [handle_file(folder / f"{side}.zip") for side in "AB"]


def look(page, *files):
    names = ("brown <blobs>", "striped blobs")
    return page.predict("unpaired", *names, [files[0]], [files[1]], api_name="/train_look")


def wait_for(page, key, *wanted):
    end = time.monotonic() + 280
    while (status := page.predict(key, api_name="/train_status"))["state"] not in wanted:
        assert time.monotonic() < end, status
        time.sleep(0.1)
    return status


def refusal(page, *arguments, api_name):
    with pytest.raises(AppError) as error:
        page.predict(*arguments, api_name=api_name)
    return str(error.value)


def test_from_two_zips_to_a_model_that_translates(page, zips, tmp_path):
    key, report = look(page, *zips)
    assert "brown &lt;blobs&gt;: 6, striped blobs: 6" in report
    assert page.predict(key, "normal", "", api_name="/train_start") == key
    status = wait_for(page, key, "done", "failed")
    assert (status["state"], status["iteration"], status["total"]) == ("done", STEPS, STEPS)
    assert set(status["losses"]) >= {"G_AB", "D_B", "cycle"}
    assert status["directions"] == ["AtoB", "BtoA"]
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (60, 50), (120, 80, 40)).save(photo)
    path = Path(page.predict(key, "last", "BtoA", handle_file(photo), api_name="/train_try"))
    assert path.name == "photo_striped-blobs2brown-blobs.jpg"
    with Image.open(path) as result:
        assert result.size == (60, 50)
    compared = page.predict(key, "AtoB", handle_file(photo), api_name="/train_compare")
    assert list(compared) == ["5", "last", "best"]
    assert all(Path(file).name == "photo_brown-blobs2striped-blobs.jpg" for file in compared.values())
    file = Path(page.predict(key, "best", "AtoB", api_name="/train_export"))
    assert file.name == "brown-blobs2striped-blobs.onnx"
    translator = Service(Shelf(file.parent), tmp_path).shelf.translator(file.stem)
    assert read_picture(photo).rgb.shape == translator.translate(read_picture(photo)).rgb.shape
    assert page.predict(key, api_name="/train_delete") == key
    assert "not there any more" in refusal(page, key, api_name="/train_status")


def test_what_cannot_be_is_told(page, zips, tmp_path):
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(b"no zip")
    assert "wrong.zip is not a zip file" in str(refusal_of_look(page, handle_file(wrong), zips[1]))
    for endpoint in ("pause", "resume", "stop", "cancel", "delete", "status"):
        assert "not there any more" in refusal(page, "../../etc", api_name=f"/train_{endpoint}")
    assert "not there any more" in refusal(page, "../..", "last", "AtoB", api_name="/train_export")
    assert "Send pictures first" in refusal(page, "", "quick", "", api_name="/train_start")
    key, _ = look(page, *zips)
    assert "cannot start from" in refusal(page, key, "quick", "../evil.pt", api_name="/train_start")
    assert "no speed" in refusal(page, key, "forever", "", api_name="/train_start")


def refusal_of_look(page, *files):
    with pytest.raises(AppError) as error:
        look(page, *files)
    return error.value


def test_a_page_without_the_packages_or_for_strangers_says_what_to_do(tmp_path):
    program = (
        "from pathlib import Path\nfrom zorse_app import Service, Shelf, build\nfrom zorse_app.tabs import train\n"
        f"service = Service(Shelf(), Path({str(tmp_path)!r}))\n"
        "def words(page): return str([part['props'] for part in page.get_config_file()['components']])\n"
        "assert '--user NAME:PASSWORD' in words(build(service, None))\n"
        "from zorse.system import extras\nextras.find_spec = lambda name: None\n"
        'assert "zorse[train,export]" in words(build(service, None))\n'
        "import sys\nassert 'torch' not in sys.modules\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_every_finding_alarm_and_state_has_plain_words():
    assert set(texts.TRAIN_FINDINGS) == {check.value for check in Check}
    assert set(texts.TRAIN_ALARMS) == {alarm.name for alarm in ALARMS} | {"non_finite", "rollback"}
    shown = set(State) - {State.DRAFT}
    assert set(texts.TRAIN_STATES) == {state.value for state in shown}
    assert set(texts.TRAIN_EXPLAINED) == {state.value for state in shown} | {"preparing", "measuring", "not_begun"}


def test_alarms_are_told_in_plain_words_the_newest_first():
    told = alarms([Alarm(10, "checkerboard", True, "", ""), Alarm(900, "mode_collapse", False, "", "")])
    assert told.index("Everything turns into the same picture") < told.index("A fine grid")
    assert "step 10, over" in told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "10 seconds"),
        (44, "40 seconds"),
        (600, "10 minutes"),
        (3000, "50 minutes"),
        (9000, "2.5 hours"),
        (1e6, "12 days"),
    ],
)
def test_durations_are_rounded_as_people_do(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "10 seconds"), (60, "60 to 80 seconds"), (600, "10 to 14 minutes"), (4000, "65 minutes to 1.5 hours")],
)
def test_estimates_are_ranges_as_people_say_them(seconds, words):
    assert _range(seconds) == words
