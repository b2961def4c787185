"""Distillation: a small generator learns to do what a large one does (Hinton et al. 2015; Li et al. 2020).

L(G, D) = lambda_l1 E[ ||T(A) - G(A)||_1 ] + lambda_features E[ mean_k ||f_k(T(A)) - f_k(G(A))||_1 / ||f_k(T(A))||_1 ]
          + lambda_adversarial L_GAN(G, D),    D judges real B against G(A)

T is the teacher, G the student. The teacher's pictures make pairs out of photos that have none; f_k are the maps of a
pretrained network, which also see what a mean over pixels blurs; D looks at real pictures of the target domain, so that
the student need not copy its teacher's faults. Of GAN Compression (Li et al. 2020) these are the reconstruction and the
adversarial loss; the pretrained network takes the place of the teacher's own inner maps, so that the teacher may be of
any architecture.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from zorse.data.loader import Batch
from zorse.model.architecture import CompactConfig, DiscriminatorConfig, Frozen, GeneratorConfig, ProjectedConfig
from zorse.model.card import Direction, ModelCard
from zorse.networks.build import build_discriminator, build_generator
from zorse.networks.efficientnet import EfficientNetTrunk, load_efficientnet
from zorse.recipes.losses import discriminator_loss, generator_loss
from zorse.recipes.method import MethodConfig
from zorse.recipes.recipe import AdamBeta, StepResult, Update, detached, frozen, together


class TeacherConfig(Frozen):
    """Which model teaches, and what its student takes over from its card."""

    model: str
    """A shipped model's name, or a file."""
    weights_sha256: str
    """Of its weights: a run that goes on needs the same teacher."""
    name: str
    """Of the teacher."""
    task: str
    """What it does, in a few words."""
    direction: Direction
    """From which domain to which it translates."""
    keeps_detail: bool
    """Whether its output shows the same things in the same places as its input."""
    licence: str
    """Of its weights."""


class DistillationConfig(MethodConfig):
    """Settings of distillation."""

    trunk = "lite0"

    kind: Literal["distillation"] = "distillation"
    teacher: TeacherConfig
    """Whose pictures the student learns to give; `zorse distill` fills this in."""
    source: Literal["A", "B"] = "A"
    """Side of the data that the teacher translates; the other one holds real pictures of its target domain."""
    generator: GeneratorConfig = CompactConfig()
    """The student."""
    discriminators: tuple[DiscriminatorConfig, ...] = (ProjectedConfig(),)
    """Judges of the target domain; several look at the same picture."""
    objective: Literal["nonsaturating", "lsgan", "hinge"] = "hinge"
    """Adversarial loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Real pictures are labelled 1 minus this (one-sided)."""
    lambda_l1: NonNegativeFloat = 10.0
    """Weight of the L1 distance to the teacher's picture."""
    lambda_features: NonNegativeFloat = 5.0
    """Weight of the distance to the teacher's picture in the maps of EfficientNet-Lite0."""
    lambda_adversarial: NonNegativeFloat = 1.0
    """Weight of the adversarial loss."""
    learning_rate: PositiveFloat = 4e-4
    """Learning rate of the student."""
    discriminator_learning_rate: PositiveFloat = 2e-4
    """Learning rate of the discriminator."""
    betas: tuple[AdamBeta, AdamBeta] = (0.5, 0.999)
    """Decay rates of Adam's averages of the gradient and of its square."""

    @property
    def keeps_scene(self) -> bool:
        """As its teacher."""
        return self.teacher.keeps_detail

    def completed(self, card: ModelCard) -> ModelCard:
        """What a student does, it has from its teacher."""
        teacher = self.teacher
        return card.model_copy(
            update={
                "task": teacher.task,
                "direction": teacher.direction,
                "keeps_detail": teacher.keeps_detail,
                "licence": teacher.licence,
                "training": f"{card.training} Teacher: {teacher.name} (sha256 of its weights "
                f"{teacher.weights_sha256[:16]}).",
            }
        )


class Distillation:
    """One student `G` and one discriminator `D` of the target domain.

    The teacher is no network of the recipe: it does not learn, and checkpoints leave it out.

    Args:
        config: of the method.
        teacher: (N, 3, H, W) -> the same shape, both in [-1, 1]; in the mode in which it is used, without gradients.
    """

    def __init__(self, config: DistillationConfig, teacher: nn.Module) -> None:
        self.config = config
        self.teacher = teacher
        self.G = build_generator(config.generator)
        self.D = build_discriminator(config.discriminators)
        self.trunk = load_efficientnet("lite0")
        self.optimizer_G = Adam(self.G.parameters(), lr=config.learning_rate, betas=config.betas)
        self.optimizer_D = Adam(self.D.parameters(), lr=config.discriminator_learning_rate, betas=config.betas)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Both that learn."""
        return {"G": self.G, "D": self.D}

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """The student."""
        return {"G": self.G}

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for the student, one for the discriminator."""
        return {"G": self.optimizer_G, "D": self.optimizer_D}

    def step(self, batch: Batch, iteration: int, update: Update) -> StepResult:
        """One iteration: discriminator first, then student."""
        config = self.config
        source, target = self._sides(batch)
        taught = self._taught(source)
        student = self.G(source)

        # Update the discriminator.
        judged_real, judged_fake = together(self.D, target, student.detach())
        loss_D = discriminator_loss(judged_real, judged_fake, config.objective, config.label_smoothing)
        update(loss_D, self.optimizer_D)

        # Update the student.
        with frozen(self.D):
            adversarial = generator_loss(self.D(student), config.objective)
            l1 = F.l1_loss(student, taught)
            features = feature_distance(self.trunk.to(student.device), taught, student)
            loss_G = config.lambda_l1 * l1 + config.lambda_features * features + config.lambda_adversarial * adversarial
            update(loss_G, self.optimizer_G)

        return detached(
            {"G": adversarial, "l1": l1, "features": features, "D": loss_D},
            pictures={"real_A": source, "fake_B": student, "real_B": target},
            judged={"D": (judged_real, judged_fake)},
        )

    def preview(self, batch: Batch, generators: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Input, teacher, student."""
        source, _ = self._sides(batch)
        return {"real_A": source, "taught_B": self._taught(source), "fake_B": generators["G"](source)}

    def _sides(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the teacher translates, and real pictures of its target domain."""
        return (batch["A"], batch["B"]) if self.config.source == "A" else (batch["B"], batch["A"])

    @torch.no_grad()
    def _taught(self, source: Tensor) -> Tensor:
        # Computed for each crop anew, so that the teacher, too, sees other crops all the time. Pictures of whole
        # photos, kept, would save a third of the time of 4000 iterations on one core with a ResNet-9 as teacher, and
        # less with smaller ones.
        taught: Tensor = self.teacher.to(source.device)(source)
        return taught.to(source.dtype)

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides networks and optimizers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def feature_distance(trunk: EfficientNetTrunk, wanted: Tensor, found: Tensor) -> Tensor:
    """L1 distance of two pictures in the maps of a pretrained network, relative to the size of the wanted ones.

    Args:
        trunk: frozen.
        wanted: (N, 3, H, W) in [-1, 1]; no gradient flows into it.
        found: likewise, of the same shape.

    Returns:
        A scalar: 0 for equal pictures, about 1 for pictures that have nothing in common; the mean of the maps of
        strides 4, 8, 16 and 32, which count alike.
    """
    with torch.no_grad():
        wanted_maps = trunk.feature_maps(wanted)
    found_maps = trunk.feature_maps(found)
    layers = [
        F.l1_loss(there.float(), here.float()) / here.float().abs().mean().clamp(min=1e-6)
        for here, there in zip(wanted_maps, found_maps, strict=True)
    ]
    return torch.stack(layers).mean()
