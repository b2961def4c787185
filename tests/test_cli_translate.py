"""`zorse translate`, `zorse models` and `zorse doctor`, as they are called from a shell."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import tiny_onnx
from tiny_training import tiny_cyclegan
from zorse import installation
from zorse.cli import app, main
from zorse.data.synthetic import synthesize
from zorse.errors import ConfigError, ImageError
from zorse.files.jobs import plan
from zorse.loading import read_file_card
from zorse.model import registry
from zorse.system import extras
from zorse.training.run import train

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def model(tmp_path):
    return str(tiny_onnx.write(tmp_path / "neg.onnx"))


@pytest.fixture
def zorse(monkeypatch, capfd):
    """Runs the command as the entry point does: exit code, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zorse", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capfd.readouterr()

    return run


def save(path, value=10, size=(20, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def mean(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).mean()


# Receipts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    folder = tmp_path / "in"
    save(folder / "a.png")
    Image.new("RGBA", (20, 12), (10, 20, 30, 100)).save(folder / "b.jpg", "PNG")
    for name in ("c.dng", "d.jxl", "e.txt"):
        (folder / name).touch()
    return folder


def test_notes_and_skipped_files_are_said(tmp_path, mixed, model, zorse):
    code, output, errors = zorse("translate", mixed, "-m", model, "-o", tmp_path / "out")
    assert (code, output) == (0, ""), errors
    lines = errors.splitlines()
    first = next(number for number, line in enumerate(lines) if "b.jpg ->" in line)
    assert lines[first + 1].startswith("Note: The file is PNG, although its name ends in .jpg")
    assert lines[first + 2] == "Note: JPEG holds no transparency: white shows through."
    assert errors.count("Note:") == 2, "nothing is said of what is kept"
    assert "Skipped: 1 .dng file (" in errors
    assert "Skipped: 1 .jxl file (" in errors
    assert "Skipped: 1 other file, neither pictures nor videos (1 .txt)." in errors
    assert "2 of 2 pictures translated, 2 skipped." in errors


def test_json_has_a_line_for_each_file(tmp_path, mixed, model, zorse):
    (mixed / "bad.png").write_bytes(b"no picture")
    code, output, _ = zorse("translate", mixed, "-m", model, "-o", tmp_path / "out", "--json")
    assert code == 1
    *files, last = map(json.loads, output.splitlines())
    assert all(set(file) == {"source", "target", "seconds", "error", "skipped", "receipt"} for file in files)
    by_name = {Path(file["source"]).name: file for file in files}
    assert list(by_name) == ["a.png", "b.jpg", "bad.png", "c.dng", "d.jxl"]
    assert "is not a picture" in by_name["bad.png"]["error"]
    assert by_name["a.png"]["receipt"]["entries"][0]["outcome"] == "kept"
    assert {"what": "transparency", "outcome": "dropped"}.items() <= by_name["b.jpg"]["receipt"]["entries"][1].items()
    assert "raw file" in by_name["c.dng"]["skipped"]
    assert last == {
        "summary": {
            "translated": 2,
            "copied": 0,
            "done_before": 0,
            "failed": 1,
            "skipped": 2,
            "other_files": {".txt": 1},
            "stopped": False,
        }
    }


def test_a_file_of_an_unreadable_kind_that_is_named_is_an_error(tmp_path, mixed, model, zorse):
    code, _, errors = zorse("translate", mixed / "a.png", mixed / "d.jxl", "-m", model, "-o", tmp_path / "out")
    assert code == 1
    assert "d.jxl: .jxl is a kind of picture that Zorse does not read." in errors
    assert (tmp_path / "out/a.png").exists()
    assert zorse("translate", mixed / "d.jxl", "-m", model)[0] == 1


def test_json_and_a_picture_cannot_share_standard_output(mixed, model, zorse):
    code, output, errors = zorse("translate", mixed / "a.png", "-m", model, "-o", "-", "--json")
    assert (code, output) == (2, "")
    assert "--json writes to standard output" in errors


# Names of the results ------------------------------------------------------------------------------------------------


def test_a_run_translates_with_the_generator_that_is_chosen(tmp_path, zorse, monkeypatch):
    synthesize("blobs", tmp_path / "set", n=4, size=40, seed=0)
    run = tmp_path / "run"
    train(tiny_cyclegan("training.iterations=1"), tmp_path / "set", run)
    files = {read_file_card(file).direction: file for file in (run / "generators").glob("*.safetensors")}
    photo = save(tmp_path / "a.png", 120)
    for direction, chosen in (("AtoB", []), ("AtoB", ["--direction", "AtoB"]), ("BtoA", ["--direction", "BtoA"])):
        code, _, err = zorse("translate", photo, "-m", run, "-o", tmp_path / "run.png", *chosen)
        assert code == 0
        assert ("other generator" in err) == (not chosen)
        assert read_file_card(files[direction]).task in err
        zorse("translate", photo, "-m", files[direction], "-o", tmp_path / "file.png")
        assert (tmp_path / "run.png").read_bytes() == (tmp_path / "file.png").read_bytes()
    zorse("translate", photo, "-m", run)
    assert (tmp_path / f"a_{read_file_card(files['AtoB']).name}.png").is_file()
    code, _, err = zorse("translate", photo, "-m", run, "--checkpoint", "best")
    assert code == 1
    assert "none was kept" in err
    monkeypatch.setattr(extras, "missing_modules", lambda *modules: ["torch"])
    code, _, err = zorse("translate", photo, "-m", run)
    assert code == 1
    assert "pip install 'zorse[train]'" in err


def test_a_direction_that_a_model_does_not_have(tmp_path, model, zorse):
    photo = save(tmp_path / "a.png")
    code, _, err = zorse("translate", photo, "-m", model, "--direction", "BtoA")
    assert code == 1
    assert "--direction BtoA was asked for" in err
    (tmp_path / "empty").mkdir()
    code, _, err = zorse("translate", photo, "-m", tmp_path / "empty")
    assert code == 1
    assert "holds no generators" in err


def test_a_picture_goes_beside_its_input(tmp_path, model, zorse):
    save(tmp_path / "photo.png")
    code, _, errors = zorse("translate", tmp_path / "photo.png", "-m", model, "--size", "keep")
    assert code == 0, errors
    assert mean(tmp_path / "photo_neg.png") == 245
    assert "CPUExecutionProvider" in errors


def test_a_picture_goes_to_the_file_in_its_format(tmp_path, model, zorse):
    save(tmp_path / "photo.png")
    assert zorse("translate", tmp_path / "photo.png", "-m", model, "-o", tmp_path / "new/out.webp")[0] == 0
    with Image.open(tmp_path / "new/out.webp") as image:
        assert image.format == "WEBP"


def test_a_folder_is_mirrored_and_a_bad_file_is_skipped(tmp_path, model, zorse):
    for name in ("a.png", "deep/b.jpg", "deep/er/c.gif"):
        save(tmp_path / "in" / name)
    (tmp_path / "in/deep/bad.jpg").write_bytes(b"no picture")
    (tmp_path / "in/empty.png").touch()
    code, _, errors = zorse("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out", "--size", "keep")
    assert code == 1
    results = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.*"))
    assert results == ["a.png", "deep/b.jpg", "deep/er/c.gif"]
    assert "3 of 5 pictures translated." in errors
    assert "bad.jpg is not a picture" in errors
    assert "empty.png is empty" in errors
    assert "Traceback" not in errors


def test_a_folder_without_out_gets_a_sibling(tmp_path, model, zorse):
    save(tmp_path / "farm/horse.png")
    assert zorse("translate", tmp_path / "farm", "-m", model)[0] == 0
    assert (tmp_path / "farm_neg/horse.png").exists()


def test_results_inside_the_input_folder_are_not_translated_again(tmp_path, model, zorse):
    save(tmp_path / "a.png")
    for _ in range(2):
        assert zorse("translate", tmp_path, "-m", model, "-o", tmp_path / "out")[0] == 0
    assert [file.name for file in (tmp_path / "out").rglob("*.png")] == ["a.png"]


def test_standard_input_to_standard_output(tmp_path, model):
    picture = save(tmp_path / "a.png").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", "from zorse.cli import main; main()", "translate", "-", "-m", model, "--size", "keep"],
        input=picture,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT / "translate")},
    )
    assert done.returncode == 0, done.stderr
    assert mean(io.BytesIO(done.stdout)) == 245


def test_plans(tmp_path):
    a, b = save(tmp_path / "x/a.png"), save(tmp_path / "y/a.png")
    out = tmp_path / "out"
    assert [job.target for job in plan([a, a], out, "m")] == [out / "a.png"], "the same input twice is one picture"
    with pytest.raises(ConfigError, match=r"would both become .*out/a\.png"):
        plan([a, b], out, "m")
    with pytest.raises(ConfigError, match="overwrite the input"):
        plan([a], a, "m")
    with pytest.raises(ConfigError, match="overwrite the input"):
        plan([a, save(tmp_path / "x/b.png")], tmp_path / "x", "m")
    with pytest.raises(ConfigError, match="cannot go into the folder"):
        plan([tmp_path / "x"], tmp_path / "x", "m")
    with pytest.raises(ConfigError, match="the one file"):
        plan([a, b], tmp_path / "one.png", "m")
    with pytest.raises(ConfigError, match="standard output"):
        plan([a, b], Path("-"), "m")
    with pytest.raises(ConfigError, match="standard output"):
        plan([tmp_path], Path("-"), "m")
    with pytest.raises(ConfigError, match="no name"):
        plan([Path("-")], out, "m")
    with pytest.raises(ImageError, match=r"must end in one of .* make it first"):
        plan([a], tmp_path / "a.xyz", "m")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ImageError, match="no pictures in the folder"):
        plan([tmp_path / "nothing"], out, "m")


def test_a_link_to_an_input_is_not_overwritten(tmp_path):
    a = save(tmp_path / "a.png")
    (tmp_path / "link.png").hardlink_to(a)
    with pytest.raises(ConfigError, match="overwrite the input"):
        plan([a], tmp_path / "link.png", "m")


# Options and errors --------------------------------------------------------------------------------------------------


def test_strength_and_size_are_passed_on(tmp_path, model, zorse):
    picture = save(tmp_path / "a.png", 100)
    for options, value in ((("--strength", 0), 100), (("--strength", 1, "--size", 8), 155)):
        assert zorse("translate", picture, "-m", model, "-o", tmp_path / "b.png", *options)[0] == 0
        assert mean(tmp_path / "b.png") == value


WHOLE = ("--tiling", "whole", "--max-memory", "1GB")


@pytest.mark.parametrize(
    "options",
    [("--size", "huge"), ("--size", "0"), ("--strength", "2"), ("--device", "abacus"), ("--nonsense",), WHOLE],
)
def test_wrong_usage_exits_with_2(tmp_path, model, zorse, options):
    code, _, errors = zorse("translate", save(tmp_path / "a.png"), "-m", model, *options)
    assert code == 2
    assert "Traceback" not in errors


def test_a_missing_picture_exits_with_1_and_a_paragraph(tmp_path, model, zorse):
    code, _, errors = zorse("translate", tmp_path / "none.jpg", "-m", model)
    assert code == 1
    assert f"Error: There is no picture {tmp_path / 'none.jpg'}. Check the path." in errors


def test_no_model_lists_the_models(tmp_path, zorse, shelf):
    code, _, errors = zorse("translate", "a.png")
    assert code == 2
    assert "neg, pos" in errors


def test_an_unknown_model_exits_with_1(tmp_path, zorse, shelf):
    code, _, errors = zorse("translate", save(tmp_path / "a.png"), "-m", "negg")
    assert code == 1
    assert "Did you mean 'neg'?" in errors


# Models and doctor ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A weights folder with two models."""
    folder = tmp_path / "weights"
    folder.mkdir()
    text = ""
    for name in ("neg", "pos"):
        sha256 = registry._sha256(tiny_onnx.write(folder / f"{name}.onnx"), 0)
        text += f'[models.{name}]\nfile = "{name}.onnx"\nsha256 = "{sha256}"\n'
        text += 'title = "Negative"\ntask = "dark to light"\nstate = "preview"\n'
    (folder / "registry.toml").write_text(text)
    for module in (registry, installation):
        monkeypatch.setattr(module, "weights_folder", lambda: folder)
    monkeypatch.setenv("ZORSE_CACHE", str(tmp_path / "cache"))
    return folder


def test_models_list(zorse, shelf):
    code, output, _ = zorse("models", "list")
    assert code == 0
    assert "dark to light" in output
    assert json.loads(zorse("models", "list", "--json")[1])["neg"]["present"] is True


def test_models_info(zorse, shelf):
    code, output, _ = zorse("models", "info", "neg")
    assert code == 0
    assert "dark pictures" in output
    card = json.loads(zorse("models", "info", shelf / "neg.onnx", "--json")[1])
    assert card["native_size"] == 32


def test_models_download_of_a_shipped_file_gives_its_place(zorse, shelf):
    code, output, _ = zorse("models", "download", "neg")
    assert (code, output.strip()) == (0, str(shelf / "neg.onnx"))


def test_doctor_finds_everything_in_order_and_a_broken_model(shelf):
    report = CliRunner().invoke(app, ["doctor", "--json"])
    findings = {finding["part"]: finding for finding in json.loads(report.output)}
    assert report.exit_code == 0
    assert findings["model neg"]["state"] == findings["translating"]["state"] == "ok"
    (shelf / "pos.onnx").write_bytes(b"broken")
    report = CliRunner().invoke(app, ["doctor"])
    assert report.exit_code == 1
    assert "is not the published file" in report.output
