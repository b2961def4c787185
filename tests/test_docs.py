"""The README says what is true: its commands exist, its models are shipped, its figures are those of the cards."""

import re
from pathlib import Path

import pytest
import typer

import zorse
from zorse.cli import app
from zorse.loading import locate, read_file_card

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in ("translate", "export", "weights") for page in ROOT.glob(f"{folder}/**/*.md")),
]
TEXT = README.read_text(encoding="utf-8")


def command_names():
    """All commands as a user types them: "translate", "data edges", ..."""

    def names(group, prefix):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from names(command, f"{prefix}{name} ")
            else:
                yield f"{prefix}{name}"

    return set(names(typer.main.get_command(app), ""))


def test_every_command_is_documented_and_every_documented_command_exists():
    section = TEXT.split("## Commands")[1].split("\n## ")[0]
    assert set(re.findall(r"`zorse ([a-z ]+)`", section)) == command_names()


def test_every_option_in_the_examples_exists():
    commands = {}

    def collect(group, prefix):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                collect(command, f"{prefix}{name} ")
            else:
                commands[f"{prefix}{name}"] = {option for parameter in command.params for option in parameter.opts}

    collect(typer.main.get_command(app), "")
    examples = re.findall(r"^zorse (.+?)(?:\s+#.*)?$", TEXT, flags=re.MULTILINE)
    assert len(examples) >= 8
    for example in examples:
        name = max((known for known in commands if example.startswith(known)), key=len)
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", example):
            assert option in commands[name], f"zorse {example}"


def test_presets_in_the_readme_exist():
    from zorse.training.presets import PRESETS

    section = TEXT.split("| preset |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z0-9_]+)`", section)) == set(PRESETS)


@pytest.mark.parametrize("name", list(zorse.shipped_models()))
def test_the_table_of_models_says_what_the_cards_say(name):
    card = read_file_card(locate(name))
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert card.state in cells
    for metric in card.metrics:
        if metric.name.startswith("KID"):
            assert f"{metric.value:.0f}" in cells, metric.name


def test_the_first_python_example_runs(tmp_path, monkeypatch):
    from PIL import Image

    code = re.search(r"```python\n(import zorse\n.*?)```", TEXT, flags=re.DOTALL).group(1)
    name = re.search(r'zorse\.load\("(\w+)"\)', code).group(1)
    assert name in zorse.shipped_models()
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (60, 40), "peru").save("horse.jpg")
    exec(compile(code, str(README), "exec"), {})
    with Image.open("zebra.png") as zebra:
        assert zebra.size == (60, 40)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pictures_and_files_that_a_page_points_to_exist(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
