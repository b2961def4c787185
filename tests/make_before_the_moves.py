"""Makes before_the_moves.zip: run folders and model files of the last version before modules moved (d704a23).

It uses nothing but commands, and ran with that version:

    git worktree add old d704a23
    PYTHONPATH=old/translate:old/app:old/export python tests/make_before_the_moves.py

In the archive:

    translator/   a CycleGAN after 2 of 4 iterations, from `draw`    later.safetensors   its G_AB after the 4th
    model.onnx    its G_AB, exported                                 result.png          what that makes of `picture()`
    figures.json  what `zorse evaluate` says of the run
    sampler/      a GAN of points in the plane after 2 of 4          later_G.safetensors its generator after the 4th
    samples.onnx  its generator, exported
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

ARCHIVE = Path(__file__).with_name("before_the_moves.zip")
SIDE = 8
TRANSLATOR = f"""
name = "dark2light"
name_reverse = "light2dark"
domain_a = "dark squares"
domain_b = "light squares"

[data]
kind = "unpaired"
load_size = {SIDE}
crop_size = {SIDE}

[recipe]
kind = "cyclegan"
generator = {{kind = "resnet", base_channels = 1, n_blocks = 0}}
discriminators = [{{kind = "pixel", base_channels = 1}}]
pool_size = 2

[training]
iterations = 2
num_workers = 0
log_every = 1
save_every = 2
sample_every = 100
evaluate_every = 0
schedule = "constant"
"""
SAMPLER = (
    "recipe.generator={kind='mlp', latent={noise=2}, hidden=[4]}",
    "recipe.discriminator={kind='mlp', hidden=[4]}",
    "training.iterations=2",
    "training.batch_size=8",
    "training.evaluate_every=0",
    "training.sample_every=100",
    "training.schedule=constant",
)
GO_ON = ("--resume", "--set", "training.iterations=4", "--device", "cpu")


def picture(number: int = 0, brightness: int = 0, side: int = 24) -> np.ndarray:
    """(side, side, 3) uint8: a slope of its own for each number."""
    rows, columns = np.mgrid[:side, :side]
    channels = [(rows * (3 + number) + columns * (9 - number)) % 100, rows * columns % 90, (rows + number) * 4]
    return (np.stack(channels, axis=2) + brightness).astype(np.uint8)


def draw(folder: Path) -> Path:
    """Three pictures of each domain to train on, three to test on."""
    for split, first in (("train", 0), ("test", 3)):
        for domain, brightness in (("A", 0), ("B", 120)):
            (folder / f"{split}{domain}").mkdir(parents=True)
            for number in range(first, first + 3):
                drawn = Image.fromarray(picture(number, brightness, SIDE))
                drawn.save(folder / f"{split}{domain}" / f"{number}.png")
    return folder


def _zorse(*arguments: object) -> str:
    command = [sys.executable, "-m", "zorse", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _make(work: Path, kept: Path) -> None:
    data, config, run, sampler = draw(work / "squares"), work / "tiny.toml", work / "translator", work / "sampler"
    config.write_text(TRANSLATOR, encoding="utf-8")
    _zorse("train", config, "--data", data, "--out", run, "--device", "cpu", "--no-check")
    _keep(run, kept)
    _zorse("export", run, "-o", kept / "model.onnx")
    Image.fromarray(picture()).save(work / "picture.png")
    _zorse("translate", work / "picture.png", "-m", kept / "model.onnx", "--size", "keep", "-o", kept / "result.png")
    (evaluation,) = json.loads(_zorse("evaluate", run, "--data", data, "--direction", "AtoB", "--json"))["evaluations"]
    figures = {metric["name"]: metric["value"] for metric in evaluation["metrics"]}
    (kept / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _zorse("train", config, "--data", data, "--out", run, *GO_ON)
    shutil.copyfile(run / "generators" / "G_AB.safetensors", kept / "later.safetensors")

    settings = [argument for setting in SAMPLER for argument in ("--set", setting)]
    _zorse("train", "gan_ring", "--out", sampler, "--device", "cpu", *settings)
    _keep(sampler, kept)
    _zorse("export", sampler, "-o", kept / "samples.onnx")
    _zorse("train", "gan_ring", "--out", sampler, *GO_ON)
    shutil.copyfile(sampler / "generators" / "G.safetensors", kept / "later_G.safetensors")


def _keep(run: Path, folder: Path) -> None:
    """What a run can go on from, without pictures and TensorBoard's files."""
    shutil.copytree(run, folder / run.name, ignore=shutil.ignore_patterns("tensorboard", "samples", "healthy.pt"))


def _pack(folder: Path) -> None:
    with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_LZMA) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as kept:
        _make(Path(work), Path(kept))
        _pack(Path(kept))
