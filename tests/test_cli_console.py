"""What comes from outside, names and cards above all, cannot steer the terminal, forge lines or be taken for markup."""

import ast
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table
from rich.text import Text

import tiny_onnx
from tiny_training import draw_unpaired, tiny_cyclegan
from zorse import cli
from zorse.cli.console import Console, echo, echo_json, only_visible
from zorse.imaging.io import Picture, write_picture
from zorse.system.texts import json_text, visible
from zorse.training.config import to_toml

HOSTILE = "a\x1b[2J\x1b]0;x\x07\u202egnp\nError: forged [red]b[/] :cat: \x9b31m\x7f"
SHOWN = r"a\x1b[2J\x1b]0;x\x07\u202egnp\nError: forged [red]b[/] :cat: \x9b31m\x7f"
UNDECODABLE = os.fsdecode(b"\xff\xfe")
NAME = HOSTILE.replace("/", "|") + (UNDECODABLE if sys.platform == "linux" else "")
SHOWN_NAME = SHOWN.replace("/", "|") + (r"\xff\xfe" if sys.platform == "linux" else "")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")

_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def assert_harmless(*printed):
    for text in printed:
        assert not _STEERING.search(text), repr(text)
        assert not [line for line in text.splitlines() if line.startswith("Error: forged")], text
        text.encode()


def picture(path, shade=90):
    rows = np.linspace(shade, 255, 40, dtype=np.uint8)[:, None, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(np.broadcast_to(rows, (40, 40, 3)).copy()))
    return path


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (HOSTILE, SHOWN),
        (UNDECODABLE, r"\xff\xfe"),
        ("\r\t\0\x85\u2028\ud83d", r"\r\t\x00\x85\u2028\ud83d"),
        ("Grüße 馬 שלום 👩\u200d🚀 C:\\new", "Grüße 馬 שלום 👩\u200d🚀 C:\\new"),
    ],
)
def test_what_steers_is_written_out_and_nothing_else(text, seen):
    assert visible(text) == seen
    assert visible(seen) == seen


def test_json_is_ascii_without_lone_surrogates_or_nan():
    value = {f"ü{UNDECODABLE}": [HOSTILE, ("\ud800", 1, True, None, 0.5)], "n": float("nan")}
    text = json_text(value)
    assert text.isascii()
    assert_harmless(text)
    assert json.loads(text) == {r"ü\xff\xfe": [HOSTILE, [r"\ud800", 1, True, None, 0.5]], "n": None}


def test_the_console_shows_strings_tables_and_texts_as_they_are(capsys):
    console = Console()
    table = Table("name", box=None)
    table.add_row(HOSTILE)
    console.print(HOSTILE)
    console.print(table)
    console.print(Text.assemble((HOSTILE.replace("\n", ""), "bold")))
    echo(HOSTILE, Path("x"))
    echo_json({"name": HOSTILE})
    out = capsys.readouterr().out
    assert_harmless(out)
    assert out.count(SHOWN) == 3
    assert out.count(r"\x1b[2J") == 4


def test_what_other_parts_print_is_written_out_too(capsys):
    with only_visible():
        print("one\x1b[31m\ntwo")
        print("three\x9b", file=sys.stderr)
    out, err = capsys.readouterr()
    assert (out, err) == ("one\\x1b[31m\ntwo\n", "three\\x9b\n")


def _calls_past(tree):
    """Names of what a module calls, or imports, to print."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                yield "print"
            case ast.Attribute(value=ast.Name(id="typer"), attr="echo" | "secho"):
                yield f"typer.{node.attr}"
            case ast.Attribute(attr="write", value=ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr")):
                yield "sys.stdout.write"
            case ast.ImportFrom(module="rich.console" | "rich" | "click"):
                yield f"{node.module} import"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="rich"), attr="console"), attr="Console"):
                yield "rich.console.Console"


def test_every_command_prints_through_the_console():
    modules = [file for file in Path(cli.__file__).parent.rglob("*.py") if file.name != "console.py"]
    assert len(modules) > 20
    past = {str(file): found for file in modules if (found := list(_calls_past(ast.parse(file.read_text()))))}
    assert past == {}
    planted = "import sys, typer, rich.console\nfrom rich import print\nprint(1)\ntyper.echo(1)\nsys.stdout.write('')"
    assert len(list(_calls_past(ast.parse(f"{planted}\nrich.console.Console()")))) == 5


@pytest.mark.parametrize(
    "arguments",
    [
        (HOSTILE,),
        ("translate", f"--{HOSTILE}"),
        ("translate", "x.png", "--size", HOSTILE),
        ("models", HOSTILE),
        ("export", "x", "--out", HOSTILE),
        ("train", "compact_horse2zebra", HOSTILE),
        ("train", HOSTILE, "--data", "."),
        ("models", "info", HOSTILE),
        ("compare", HOSTILE, HOSTILE),
        ("data", "check", HOSTILE),
    ],
)
def test_wrong_arguments_are_repeated_harmlessly(zorse, arguments):
    code, out, err = zorse(*arguments)
    assert code in (1, 2)
    assert_harmless(out, err)
    assert r"\x1b[2J" in err


def test_translate_names_that_are_hostile(zorse, tmp_path):
    model = tiny_onnx.write(tmp_path / "m.onnx")
    good = picture(tmp_path / "in" / f"{NAME}.png")
    (tmp_path / "in" / f"bad{NAME}.png").write_bytes(b"no picture")
    (tmp_path / "in" / f"other{NAME}.psd").write_bytes(b"8BPS")
    code, out, err = zorse("translate", tmp_path / "in", "-m", model, "-o", tmp_path / "out")
    assert code == 1
    assert_harmless(out, err)
    assert f"{SHOWN_NAME}.png -> " in err
    assert f"bad{SHOWN_NAME}.png" in err
    code, out, err = zorse("translate", good, "-m", model, "-o", tmp_path / "alone.png", "--json")
    assert (code, (tmp_path / "alone.png").exists()) == (0, True)
    assert_harmless(out, err)
    assert json.loads(out.splitlines()[0])["source"] == str(good).replace(UNDECODABLE, r"\xff\xfe")


def test_cards_that_are_hostile(zorse, tmp_path):
    card = tiny_onnx.card(task=HOSTILE, notes=HOSTILE, licence="[bold]none[/]")
    file = tiny_onnx.write(tmp_path / f"{NAME}.onnx", model_card=card)
    code, out, err = zorse("models", "info", file)
    assert (code, err) == (0, "")
    assert_harmless(out)
    assert SHOWN in out
    assert "[bold]none[/]" in out
    code, out, _ = zorse("models", "info", file, "--json")
    assert_harmless(out)
    assert (code, json.loads(out)["notes"]) == (0, HOSTILE)
    code, out, err = zorse("translate", picture(tmp_path / "a.png"), "-m", file, "-o", tmp_path / "b.png")
    assert code == 0, err
    assert_harmless(out, err)


def test_the_list_of_models_shows_tasks_as_they_are(zorse, monkeypatch):
    from zorse.model import registry

    entries = registry.shipped_models()
    first = next(iter(entries))
    hostile = entries | {first: entries[first].model_copy(update={"task": HOSTILE})}
    monkeypatch.setattr(registry, "shipped_models", lambda: hostile)
    code, out, _ = zorse("models", "list")
    assert code == 0
    assert_harmless(out)
    assert r"\x1b[2J" in out


@pytest.fixture
def hostile_set(tmp_path):
    """A data set in which every folder below it and some files have such names."""
    folder = draw_unpaired(tmp_path / NAME)
    for place in ("trainA", "trainB"):
        picture(folder / place / f"{NAME}.png")  # a copy of each other, of one colour, too small
        (folder / place / f"bad{NAME}.png").write_bytes(b"no picture")
    return folder


def test_the_data_doctor_on_hostile_names(zorse, hostile_set, tmp_path):
    code, out, err = zorse("data", "check", hostile_set, "--crop", "32", "--all", "--fix", tmp_path / "fixed")
    assert code == 0, err
    assert_harmless(out, err)
    assert f"bad{SHOWN_NAME}.png" in out
    assert_harmless((tmp_path / "fixed" / "changes.json").read_text())
    code, out, err = zorse("data", "check", hostile_set, "--crop", "32", "--json")
    assert code == 1
    assert_harmless(out, err)
    files = [file for finding in json.loads(out)["findings"] for item in finding["items"] for file in item["files"]]
    assert any(file.endswith(f"bad{NAME}.png".replace(UNDECODABLE, r"\xff\xfe")) for file in files)


def test_training_on_hostile_names(zorse, hostile_set, tmp_path):
    config = tmp_path / "tiny.toml"
    config.write_text(to_toml(tiny_cyclegan("training.iterations=1")), encoding="utf-8")
    code, out, err = zorse("train", config, "--data", hostile_set, "--out", tmp_path / f"run{NAME}", "--device", "cpu")
    assert code == 1
    assert_harmless(out, err)
    assert f"bad{SHOWN_NAME}.png" in out + err
    for place in ("trainA", "trainB"):
        (hostile_set / place / f"bad{NAME}.png").unlink()
    code, out, err = zorse("train", config, "--data", hostile_set, "--out", tmp_path / f"run{NAME}", "--device", "cpu")
    assert code == 0, out + err
    assert_harmless(out, err)
    assert f"run{SHOWN_NAME}" in out
