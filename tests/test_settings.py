"""`zorse settings`: every setting with its default, choices and meaning, and the schema for editors."""

import importlib
import json
import pkgutil
import tomllib

import jsonschema
import pytest

import zorse.model
from zorse.gans.training.config import BaselineConfig
from zorse.gans.training.presets import BASELINE_PRESETS
from zorse.model.architecture import Frozen
from zorse.training.config import TrainConfig, to_toml, with_overrides
from zorse.training.presets import PRESETS
from zorse.training.settings import defaults_of, kinds_of, settings_of

ALL_PRESETS = PRESETS | BASELINE_PRESETS


@pytest.mark.parametrize("config", [TrainConfig, BaselineConfig])
def test_every_setting_of_every_kind_has_a_meaning(config):
    found = [setting for table, model in kinds_of(config) for setting in defaults_of(model, table)]
    assert len(found) > 100
    assert [setting.key for setting in found if not setting.meaning or "value" in setting.choices.split()] == []


def test_every_field_of_a_card_has_a_meaning():
    def below(model):
        return [model, *(inner for child in model.__subclasses__() for inner in below(child))]

    for module in pkgutil.iter_modules(zorse.model.__path__, "zorse.model."):
        importlib.import_module(module.name)
    ours = [model for model in below(Frozen) if model.__module__.startswith("zorse.model")]
    assert {"ModelCard", "Metric", "ResnetConfig", "ParityReport"} <= {model.__name__ for model in ours}
    missing = [(m.__name__, n) for m in ours for n, field in m.model_fields.items() if not field.description]
    assert [each for each in missing if each[1] != "kind"] == []


@pytest.mark.parametrize("preset", ALL_PRESETS)
def test_what_is_shown_can_be_set(preset):
    config = ALL_PRESETS[preset]()
    for setting in settings_of(config):
        if setting.value is not None and "{" not in json.dumps(setting.value):  # The parts of tables are in the list.
            assert with_overrides(config, [f"{setting.key}={json.dumps(setting.value)}"]) == config


def test_the_command_shows_value_default_choices_and_meaning(zorse, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = zorse("settings", "compact_horse2zebra")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    shown = " ".join(out.split())
    assert "recipe.lambda_cycle = 5.0 Weight of the cycle loss; 10 in the paper. (number >= 0; default 10.0)" in shown
    assert '(resnet | unet | compact | module:Name; default "compact")' in shown


def test_as_json(zorse):
    _, out, _ = zorse("settings", "gan_ring", "--json")
    by_key = {each["key"]: each for each in json.loads(out)}
    assert by_key["recipe.generator.latent.noise"]["default"] == 100
    assert by_key["recipe.objective"]["choices"] == "minimax | nonsaturating"


def test_without_a_preset_all_kinds_are_shown(zorse):
    _, out, _ = zorse("settings")
    assert "[recipe.discriminators]" in out
    assert "recipe.discriminators.n_layers" in out
    _, out, _ = zorse("settings", "--json")
    assert {"recipe.generator", "data", "training"} <= {each["table"] for each in json.loads(out)}


def test_the_schema_accepts_what_we_write_and_nothing_else(zorse):
    _, out, _ = zorse("settings", "--schema")
    schema = json.loads(out)
    for make in ALL_PRESETS.values():
        settings = tomllib.loads(to_toml(make()))
        jsonschema.validate(settings, schema)
        settings["training"]["epoch"] = 3
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(settings, schema)


def test_a_schema_of_one_preset_is_wrong_usage(zorse):
    code, _, err = zorse("settings", "gan_ring", "--schema")
    assert code == 2
    assert "leave PRESET" in err
