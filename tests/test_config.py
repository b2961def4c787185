"""Settings: presets, TOML files, overrides, and what is said about those that cannot work."""

from pathlib import Path

import pytest
import torch

from zorse.cli.presets import find_translator
from zorse.errors import ConfigError
from zorse.model.architecture import CompactConfig, PatchGANConfig, PixelConfig, ResnetConfig, UnetConfig
from zorse.recipes.cut import CUT
from zorse.recipes.cyclegan import CycleGAN
from zorse.recipes.pix2pix import Pix2Pix
from zorse.training.config import TrainConfig, read_config, to_toml, validated, with_overrides
from zorse.training.presets import (
    PRESETS,
    compact_horse2zebra,
    cyclegan_horse2zebra,
    pix2pix_edges2shoes,
    pix2pix_facades,
)
from zorse.training.run import build_recipe


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_come_back_from_toml(name, tmp_path):
    config = PRESETS[name]()
    assert validated(config.model_dump()) == config
    file = tmp_path / "config.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    assert read_config(file) == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build_their_recipe(name):
    """At full size, but without memory behind the weights."""
    config = PRESETS[name]().recipe
    light = config.model_copy(update={"discriminators": (PatchGANConfig(base_channels=4),)})
    with torch.device("meta"):
        recipe = build_recipe(light, seed=0)
    assert isinstance(recipe, {"cyclegan": CycleGAN, "pix2pix": Pix2Pix, "cut": CUT}[config.kind])
    assert {optimizer.param_groups[0]["lr"] for optimizer in recipe.optimizers.values()} == {
        config.learning_rate,
        config.discriminator_learning_rate,
    }
    for key, optimizer in recipe.optimizers.items():
        own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        moved_by = {"F": "G"}  # CUT's embedding learns with its generator.
        networks = [network for name, network in recipe.networks.items() if moved_by.get(name, name).startswith(key)]
        assert own == {id(parameter) for network in networks for parameter in network.parameters()}


def test_the_papers_presets_have_the_papers_settings():
    for config in (cyclegan_horse2zebra(), pix2pix_facades()):
        assert (config.data.load_size, config.data.crop_size) == (286, 256)
        assert (config.training.epochs, config.training.batch_size, config.training.decay_from) == (200, 1, 0.5)
        assert (config.recipe.learning_rate, config.recipe.betas) == (2e-4, (0.5, 0.999))
    cycle = cyclegan_horse2zebra().recipe
    assert (cycle.objective, cycle.lambda_cycle, cycle.lambda_identity, cycle.pool_size) == ("lsgan", 10, 0.5, 50)
    assert cycle.generator == ResnetConfig(base_channels=64, n_blocks=9, norm="instance")
    assert cycle.discriminators == (PatchGANConfig(base_channels=64, n_layers=3, norm="instance"),)
    pairs = pix2pix_facades().recipe
    assert (pairs.objective, pairs.lambda_l1) == ("nonsaturating", 100)
    assert pairs.generator == UnetConfig(depth=8, norm="batch", dropout=True)
    assert pairs.discriminators == (PatchGANConfig(base_channels=64, n_layers=3, norm="batch"),)


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'horse2zebra' is neither.*compact_horse2zebra.*pix2pix_facades"):
        find_translator("horse2zebra")


def test_overrides_are_typed_and_leave_the_rest_alone():
    before = compact_horse2zebra()
    config = with_overrides(
        before,
        [
            "recipe.lambda_cycle=7",
            "training.iterations = 12",
            "training.channels_last=true",
            "recipe.betas=[0.0, 0.9]",
            "recipe.objective=lsgan",
            'name="my horse"',
            "domain_a=horses in 2024",
            'recipe.generator={kind="resnet", n_blocks=6}',
            'recipe.discriminators=[{kind="patchgan", n_layers=2}, {kind="pixel"}]',
        ],
    )
    assert config.recipe.lambda_cycle == 7.0
    assert isinstance(config.recipe.lambda_cycle, float)
    assert (config.training.iterations, config.training.channels_last) == (12, True)
    assert (config.recipe.betas, config.recipe.objective) == ((0.0, 0.9), "lsgan")
    assert (config.name, config.domain_a) == ("my horse", "horses in 2024")
    assert config.recipe.generator == ResnetConfig(n_blocks=6)
    assert config.recipe.discriminators == (PatchGANConfig(n_layers=2), PixelConfig())
    assert (config.data, config.recipe.lambda_identity) == (before.data, before.recipe.lambda_identity)
    assert before == compact_horse2zebra()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recipe.lambda_cyle=3", r"'recipe.lambda_cyle'.* Did you mean 'lambda_cycle'\?"),
        ("recip.lambda_cycle=3", r"Did you mean 'recipe'\?"),
        ("recipe.generator.base_chanels=3", r"Did you mean 'base_channels'\?"),
        ('recipe.generator={kind="resnet", n_block=3}', r"'recipe.generator.n_block'.* Did you mean 'n_blocks'\?"),
        (
            'recipe.discriminators=[{kind="patchgan", n_layer=3}]',
            r"discriminators.0.n_layer'.* Did you mean 'n_layers'",
        ),
        ("recipe.discriminators.0.n_layers=2", r"'n_layers' is unknown.* Known there: augment, base_channels"),
        ("recipe.discriminators.1.base_channels=2", r"a number from 0 to 0 was wanted, not '1'"),
        ("recipe.betas.0.n_layers=2", r"'recipe.betas.0.n_layers' cannot be set: recipe.betas.0 is not a table now"),
        ("recipe.generator.kind=resnet", r'whole table: recipe.generator={kind="resnet"}'),
        ('recipe={kind="stargan"}', r"recipe: .*pix2pix, cyclegan.*\(got 'stargan'\)"),
        ("recipe.lambda_cycle=many", r"recipe.lambda_cycle: .*number.* \(got 'many'\)"),
        ("recipe.lambda_cycle=-1", r"recipe.lambda_cycle: .*greater than or equal to 0"),
        ("recipe.lambda_cycle=nan", r"recipe.lambda_cycle: "),
        ("recipe.betas=[0.5, 1.5]", r"recipe.betas.1: .*less than 1"),
        ("recipe.betas=[0.5]", r"recipe.betas.1: "),
        ("recipe.label_smoothing=1", r"recipe.label_smoothing: .*less than 1"),
        ("training.batch_size=1.5", r"training.batch_size: .*integer"),
        ("training.precision=fp64", r"training.precision: .*'fp32', 'bf16' or 'fp16'"),
        ("training.seed=4294967296", r"training.seed: "),
        ("data.crop_size=130", r"data.crop_size is 130, .* compact generator .* multiples of 4"),
        ("data.crop_size=200", r"data: a crop of 200 pixels does not fit"),
        ('recipe.discriminators=[{kind="patchgan", n_layers=6}]', r"n_layers = 6 .* at least 192 pixels"),
        ('recipe.generator={kind="unet", in_channels=1}', r"in_channels and out_channels must be 3"),
        ("recipe.label_smoothing=0.1", r"label_smoothing has no meaning with recipe.objective hinge"),
        ("recipe.lambda_cycle", r"key=value.*not 'recipe.lambda_cycle'"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        with_overrides(compact_horse2zebra(), [override])
    assert "\n" not in str(caught.value)
    assert "cyclegan.generator" not in str(caught.value), "keys are named as users write them"


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[1] / "weights" / "trainings").glob("*.toml")), ids=lambda file: file.stem
)
def test_the_trainings_of_the_shipped_models_can_be_repeated(file):
    assert read_config(file).name_reverse is not None


def test_the_models_of_a_run_have_names_of_their_own():
    with pytest.raises(ConfigError, match="both 'zebra2horse'"):
        with_overrides(compact_horse2zebra(), ["name=zebra2horse"])
    with pytest.raises(ConfigError, match="name"):
        with_overrides(compact_horse2zebra(), ['name=""'])


def test_a_unet_works_at_the_size_of_its_crops():
    """Its innermost layers have seen one position only: 12 of 16 taps are as they were drawn."""
    assert pix2pix_facades().native_size == 256
    assert cyclegan_horse2zebra().native_size == 286
    staged = with_overrides(pix2pix_facades(), ["data.stages=[{after=0.5, load_size=572, crop_size=512}]"])
    assert staged.native_size == 512


def test_the_gradient_penalty_needs_pictures_apart():
    with pytest.raises(ConfigError, match="which BatchNorm mixes up"):
        with_overrides(pix2pix_edges2shoes(), ["recipe.objective=wgan_gp"])


def test_the_gradient_penalty_is_not_compiled():
    with pytest.raises(ConfigError, match=r"training.compile does not go with recipe.objective wgan_gp"):
        with_overrides(compact_horse2zebra(), ["training.compile=true", "recipe.objective=wgan_gp"])


def test_the_smallest_crop_of_a_patchgan_is_exact():
    """What the settings promise, the network holds."""
    smallest = ["data.crop_size=24", 'recipe.discriminators=[{kind="patchgan", base_channels=2}]']
    small = ['recipe.generator={kind="compact", base_channels=4, n_blocks=1}', *smallest]
    config = with_overrides(compact_horse2zebra(), small)
    judge = build_recipe(config.recipe, seed=0).networks["D_A"]
    assert judge(torch.zeros(1, 3, 24, 24)).shape == (1, 1, 1, 1)
    with pytest.raises(ConfigError, match="at least 24 pixels"):
        with_overrides(config, ["data.crop_size=20"])


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


SMALLEST = """
name = "cats2dogs"
domain_a = "cats"
domain_b = "dogs"
[data]
kind = "unpaired"
[recipe]
kind = "cyclegan"
"""


def test_a_toml_file_needs_no_more_than_names_data_and_recipe(tmp_path):
    config = read_config(write(tmp_path, SMALLEST))
    assert config == TrainConfig(
        name="cats2dogs",
        domain_a="cats",
        domain_b="dogs",
        data=cyclegan_horse2zebra().data,
        recipe=cyclegan_horse2zebra().recipe,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALLEST + "lambda_cylce = 5\n", r"'recipe.lambda_cylce'.* Did you mean 'lambda_cycle'\?"),
        (SMALLEST + "[trainig]\nbatch_size = 2\n", r"'trainig'.* Did you mean 'training'\?"),
        (SMALLEST + "[training]\nbatchsize = 2\n", r"'training.batchsize'.* Did you mean 'batch_size'\?"),
        (SMALLEST + '[training_data]\nname = "x"\norigin = "y"\nlicense = "z"\n', r"Did you mean 'licence'\?"),
        (SMALLEST.replace('domain_b = "dogs"', ""), r"domain_b: Field required"),
        ('name = "x', r"mine.toml is not valid TOML: "),
    ],
)
def test_mistakes_in_a_toml_file_are_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read_config(write(tmp_path, text))


def test_files_that_are_no_text_or_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none.toml cannot be read \(No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_config(tmp_path / "mine.toml")


def test_a_generator_of_another_kind_can_be_chosen_for_any_preset():
    config = with_overrides(cyclegan_horse2zebra(), ['recipe.generator={kind="compact"}'])
    assert config.recipe.generator == CompactConfig()


def test_tables_get_the_defaults_of_their_kind_so_that_later_settings_find_them():
    changes = ['recipe.generator={kind="resnet", base_channels=8}', "recipe.generator.n_blocks=6"]
    generator = with_overrides(compact_horse2zebra(), changes).recipe.generator
    assert generator == ResnetConfig(base_channels=8, n_blocks=6)


def test_elements_of_lists_are_set_by_their_numbers():
    changes = [
        'recipe.discriminators=[{kind="pixel"}, {kind="patchgan"}]',
        "recipe.discriminators.1.n_layers=2",
        "recipe.betas.0=0.4",
    ]
    recipe = with_overrides(compact_horse2zebra(), changes).recipe
    assert recipe.discriminators == (PixelConfig(), PatchGANConfig(n_layers=2))
    assert recipe.betas == (0.4, 0.999)
