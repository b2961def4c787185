"""Blur: what a squared error makes of several right answers, and what an adversarial loss makes of them.

argmin_G E[||x - G||^2] = E[x]: the mean of all right answers, which is none of them. A discriminator knows no mean; it
asks whether an answer could be a real one (Lotter et al. 2015; Goodfellow 2016, NIPS tutorial, section 1, figure 3).

Here an answer is a white bar on black, at any height. The same generator learns it twice.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam

from zorse.gans.architecture import LatentConfig, MLPGeneratorConfig, MLPJudgeConfig
from zorse.gans.data.batch import SampleBatch
from zorse.gans.lessons.lesson import Lesson, panels
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.recipes.game import latents_like
from zorse.gans.recipes.gan import GAN, GANConfig
from zorse.gans.sampling.sampler import as_pixels
from zorse.gans.sheets import Pixels, sheet
from zorse.recipes.recipe import plain_update

TITLE = "Blur of a squared error against an adversarial loss"

SIDE, BAR = 12, 4
"""Of a picture and of the bar in it, in pixels."""
STEPS, BATCH = 800, 64
SHOWN = 16
GENERATOR = MLPGeneratorConfig(latent=LatentConfig(noise=8), hidden=(128, 128), norm="batch", shape=(1, SIDE, SIDE))
JUDGE = MLPJudgeConfig(hidden=(128, 128))


def teach() -> Lesson:
    """Train with both losses, and measure how sharp the answers are."""
    answers = {"real answers": _bars(1024), "squared error": _by_squared_error(), "adversarial loss": _by_game()}
    figure, axes = panels(list(answers))
    rows = []
    for axis, (name, pictures) in zip(axes, answers.items(), strict=True):
        axis.imshow(_framed(pictures[:SHOWN]))
        axis.set_axis_off()
        error = (pictures[:, None] - _all_bars()[None]).square().mean(dim=(2, 3, 4))
        nearest, kinds = error.min(1)
        right = len(set(kinds[nearest < 0.1].tolist()))
        rows.append((name, f"{float(pictures.abs().mean()):.2f}", f"{float(nearest.mean()):.3f}", f"{right}"))
    return Lesson(
        (
            ("learned with", "mean |pixel| (sharp: 1)", "error from the nearest answer", f"of {SIDE - BAR + 1} drawn"),
            *rows,
        ),
        "The squared error is least for the mean of all bars, a grey cloud that is far from every right answer. The "
        "adversarial loss gives up the mean for single answers that are sharp, and may forget some of them. So pix2pix "
        "adds one to its L1, which gives each pixel's median: here all black, since no row is white in half of "
        "the answers.",
        figure,
    )


def _bars(n: int) -> Tensor:
    """(n, 1, SIDE, SIDE) in [-1, 1]: a bar at a random height."""
    return _all_bars()[torch.randint(SIDE - BAR + 1, (n,))]


def _all_bars() -> Tensor:
    tops = torch.arange(SIDE - BAR + 1)[:, None]
    rows = torch.arange(SIDE)[None]
    inside = (rows >= tops) & (rows < tops + BAR)
    return (2.0 * inside - 1.0)[:, None, :, None].expand(-1, 1, SIDE, SIDE).contiguous()


def _by_squared_error() -> Tensor:
    G = build_sample_generator(GENERATOR)
    optimizer = Adam(G.parameters(), lr=1e-3)
    for _ in range(STEPS):
        real = _bars(BATCH)
        plain_update(F.mse_loss(G(latents_like(GENERATOR.latent, real)), real), optimizer)
    return _drawn(G)


def _by_game() -> Tensor:
    game = GAN(
        GANConfig(generator=GENERATOR, discriminator=JUDGE, learning_rate=1e-3, discriminator_learning_rate=1e-3)
    )
    for iteration in range(STEPS):
        batch = SampleBatch(x=_bars(BATCH), label=torch.zeros(BATCH, dtype=torch.int64), path_x=[])
        game.step(batch, iteration, plain_update)
    return _drawn(game.G)


@torch.no_grad()
def _drawn(G: torch.nn.Module) -> Tensor:
    samples: Tensor = G(latents_like(GENERATOR.latent, torch.empty(1024)))
    return samples


def _framed(pictures: Tensor) -> Pixels:
    """In rows, with a grey frame around each."""
    framed = F.pad(pictures, (1, 1, 1, 1), value=0.0)
    return sheet(as_pixels(framed))
