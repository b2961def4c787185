"""The optional parts: what is said to be needed is what pyproject.toml installs."""

import re
import tomllib
from pathlib import Path

import pytest

from zorse.errors import MissingExtraError
from zorse.system.extras import FOR_FIGURES, FOR_HEIC, MODULES, is_installed, require

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.mark.parametrize("extra", MODULES)
def test_each_part_needs_what_is_installed_for_it(extra):
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    requirements = extras[extra] if extra != "export" else [*extras["train"], *extras["export"][1:]]
    packages = {re.split(r"[\[<>=!]", requirement)[0].replace("-", "_") for requirement in requirements}
    wanted = {
        *MODULES[extra],
        *(FOR_FIGURES if extra in ("train", "export") else ()),
        *(FOR_HEIC if extra == "app" else ()),
    }
    assert packages == wanted


def test_a_missing_module_is_told_with_the_extra_that_brings_it(monkeypatch):
    require("Training", "train")
    monkeypatch.setattr("zorse.system.extras.find_spec", lambda name: None if name == "albumentations" else name)
    assert not is_installed("train")
    require("Reading weights", "train", "torch", "safetensors")
    with pytest.raises(MissingExtraError, match=r"Training needs packages.*pip install 'zorse\[train\]'"):
        require("Training", "train")
