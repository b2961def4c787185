"""Architectures as plain data: what a card stores and `networks.build` turns into modules.

The table of Zorse's own: each config says by `network` what makes its module, and stands in one of the two unions. What
others have written is named by its import path. This module imports no torch, and none of their code: a card can be
read, and a model translated with, where neither is installed.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PositiveInt,
    Tag,
    model_validator,
)

from zorse.system.import_paths import ImportPath, is_import_path

Norm = Literal["batch", "instance", "instance_affine", "none"]
"""`instance` has neither parameters nor running statistics, `instance_affine` a scale and a shift for each channel."""


class Frozen(BaseModel):
    """Immutable settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


CUSTOM = "module:Name"
"""Stands for the kinds that others have written, wherever kinds are listed."""


def kind_of(value: Any) -> str | None:
    """The kind of a table of settings or of what was made of it: one of Zorse's own, or `CUSTOM`; None: it has none."""
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return CUSTOM if is_import_path(kind) else kind if isinstance(kind, str) else None


def kind_of_model(model: type[BaseModel]) -> str | None:
    """The kind that a class of settings is for; None where there are no kinds."""
    field = model.model_fields.get("kind")
    if field is None:
        return None
    return CUSTOM if field.is_required() else str(field.default)


def by_kind(*kinds: str) -> Discriminator:
    """Tells the members of a union apart by `kind`: each is tagged with its own, and one with `CUSTOM`."""
    return Discriminator(
        kind_of,
        custom_error_type="kind",
        custom_error_message=f"none of the kinds {', '.join(map(repr, kinds))}, and no import path such as "
        "'mypackage.nets:MyNetwork'",
    )


class Custom(Frozen):
    """What others have written: it is called with all settings beside those that are listed here."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        """JSON, in which cards are, has neither NaN nor infinity."""
        try:
            json.dumps(self.__pydantic_extra__, allow_nan=False)
        except ValueError:
            raise ValueError("numbers were wanted that are finite") from None
        return self

    @property
    def arguments(self) -> dict[str, JsonValue]:
        """What it is called with, by name."""
        return dict(self.__pydantic_extra__)


class NetworkConfig(Frozen):
    """What Zorse's own networks have in common."""

    network: ClassVar[str]
    """What makes the module, imported when it is needed. It is called with the config; for a discriminator, also with
    the channels of what it judges."""
    initialises_itself: ClassVar[bool] = False
    """Whether the module keeps the weights that it is made with, and is not initialised as in the papers."""


class OwnGenerator(NetworkConfig):
    """What Zorse's own generators have in common."""

    works_on_crops: ClassVar[bool] = False
    """Whether it is made for pictures of the size of the crops, and not of the whole ones."""

    @property
    def dropout_at_test(self) -> bool:
        """Whether dropout stays active when it is used, as published."""
        return False


class OwnDiscriminator(NetworkConfig):
    """What Zorse's own discriminators have in common."""

    trunk: ClassVar[str | None] = None
    """The pretrained network that it looks through."""

    @property
    def mixes_batch(self) -> bool:
        """Whether what it says of a picture depends on the others of the batch."""
        return False

    @property
    def smallest_picture(self) -> int:
        """Least height and width, in pixels, of a picture that can be judged."""
        return 1


class ResnetConfig(OwnGenerator):
    """ResNet generator (Johnson et al. 2016; Zhu et al. 2017, appendix 7.2)."""

    network = "zorse.networks.resnet:ResnetGenerator"
    kind: Literal["resnet"] = "resnet"
    in_channels: PositiveInt = 3
    """Channels of the input picture."""
    out_channels: PositiveInt = 3
    """Channels of the output picture."""
    base_channels: PositiveInt = 64
    """Channels of the first convolution; the papers' ngf."""
    n_blocks: int = Field(default=9, ge=0)
    """Residual blocks: 9 for 256 px and more, 6 for 128 px."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""
    downsampling: Literal["strided", "blur"] = "strided"
    """`strided` as published; `blur` convolves at full resolution and halves after a blur, as CUT does."""
    upsampling: Literal["transposed", "resize", "bilinear"] = "transposed"
    """`transposed` as published; `resize` is nearest-neighbour and a convolution, without checkerboards; `bilinear`
    likewise, as CUT does."""
    dropout: bool = False
    """Dropout 0.5 inside the residual blocks."""

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this."""
        return 4


class UnetConfig(OwnGenerator):
    """U-Net generator (Isola et al. 2017, appendix 6.1.1)."""

    network = "zorse.networks.unet:UnetGenerator"
    # Its innermost layers see a single position of the crops. Taps beside it have learned nothing, and larger pictures
    # would use them.
    works_on_crops = True
    kind: Literal["unet"] = "unet"
    in_channels: PositiveInt = 3
    """Channels of the input picture."""
    out_channels: PositiveInt = 3
    """Channels of the output picture."""
    base_channels: PositiveInt = 64
    """Channels of the outermost level; the papers' ngf."""
    depth: int = Field(default=8, ge=3)
    """Halvings of the resolution: 8 is the paper's U-Net-256, 7 its U-Net-128."""
    norm: Norm = "batch"
    """Normalisation after each convolution."""
    dropout: bool = True
    """Dropout 0.5 in the up to three levels next to the bottleneck that are as wide as it."""

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this."""
        return int(2**self.depth)

    @property
    def dropout_at_test(self) -> bool:
        """As pix2pix does (Isola et al. 2017, section 3.4)."""
        return self.dropout


class CompactConfig(OwnGenerator):
    """Zorse's own generator for CPUs and browsers: residual blocks at quarter resolution, a change as output."""

    network = "zorse.networks.compact:CompactGenerator"
    kind: Literal["compact"] = "compact"
    in_channels: Literal[3] = 3
    """Channels of the input picture."""
    out_channels: Literal[3] = 3
    """Channels of the output picture."""
    base_channels: PositiveInt = 96
    """Channels at quarter resolution."""
    n_blocks: int = Field(default=6, ge=1)
    """Residual blocks."""
    finish_channels: PositiveInt = 12
    """Channels of the full-resolution finish."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this."""
        return 4


class CustomGeneratorConfig(Custom):
    """A generator of others: a torch.nn.Module, (N, 3, H, W) in [-1, 1] -> the same."""

    kind: ImportPath
    """Where its class is: "mypackage.nets:MyGenerator"."""
    size_multiple: PositiveInt = 1
    """Height and width, in pixels, must be multiples of this."""

    in_channels: ClassVar[int] = 3
    out_channels: ClassVar[int] = 3
    works_on_crops: ClassVar[bool] = False
    dropout_at_test: ClassVar[bool] = False


GeneratorConfig = Annotated[
    Annotated[ResnetConfig, Tag("resnet")]
    | Annotated[UnetConfig, Tag("unet")]
    | Annotated[CompactConfig, Tag("compact")]
    | Annotated[CustomGeneratorConfig, Tag(CUSTOM)],
    by_kind("resnet", "unet", "compact"),
]


Augmentation = Literal["brightness", "saturation", "contrast", "translation", "cutout"]
DIFF_AUGMENT: tuple[Augmentation, ...] = ("brightness", "saturation", "contrast", "translation", "cutout")
"""The policy of DiffAugment (Zhao et al. 2020): color, translation, cutout."""
MILD_AUGMENT: tuple[Augmentation, ...] = ("brightness", "contrast", "translation")
"""A part of it that leaves whole pictures and their colours to judge."""


def _policy(usual: tuple[Augmentation, ...]) -> BeforeValidator:
    """Lets a policy be written as true or false, for the usual one or none."""
    return BeforeValidator(lambda value: (usual if value else ()) if isinstance(value, bool) else value)


class PatchGANConfig(OwnDiscriminator):
    """PatchGAN discriminator (Isola et al. 2017, section 3.2.2): one logit per patch."""

    network = "zorse.networks.patchgan:patchgan"
    kind: Literal["patchgan"] = "patchgan"
    base_channels: PositiveInt = 64
    """Channels of the first convolution; the papers' ndf."""
    n_layers: PositiveInt = 3
    """Halvings of the resolution; 3 gives the 70x70 patch."""
    norm: Norm = "instance"
    """Normalisation after each convolution but the first and the last."""
    downsampling: Literal["strided", "blur"] = "strided"
    """`strided` as published; `blur` convolves at full resolution and halves after a blur, as CUT does."""
    spectral_norm: bool = False
    """Limit how steep the network can become, by spectral normalisation of its weights (Miyato et al. 2018)."""
    scales: PositiveInt = 1
    """Networks that judge the picture, each at half the resolution of the one before; 3 in pix2pixHD."""
    augment: Annotated[tuple[Augmentation, ...], _policy(DIFF_AUGMENT)] = ()
    """What pictures go through before they are judged, in this order, for small sets; true: all of DiffAugment."""

    @property
    def mixes_batch(self) -> bool:
        """See `OwnDiscriminator`."""
        return self.norm == "batch"

    @property
    def smallest_picture(self) -> int:
        """See `OwnDiscriminator`."""
        # After all halvings of the picture and its features, two 4x4 convolutions are left.
        return int(3 * 2 ** (self.n_layers + self.scales - 1))


class PixelConfig(OwnDiscriminator):
    """1x1 PatchGAN (Isola et al. 2017, appendix 6.1.2): judges each pixel alone."""

    network = "zorse.networks.patchgan:PixelDiscriminator"
    kind: Literal["pixel"] = "pixel"
    base_channels: PositiveInt = 64
    """Channels of the first convolution; the papers' ndf."""
    norm: Norm = "instance"
    """Normalisation after the second convolution."""
    augment: Annotated[tuple[Augmentation, ...], _policy(DIFF_AUGMENT)] = ()
    """What pictures go through before they are judged, in this order, for small sets; true: all of DiffAugment."""

    @property
    def mixes_batch(self) -> bool:
        """See `OwnDiscriminator`."""
        return self.norm == "batch"


class ProjectedConfig(OwnDiscriminator):
    """Heads on frozen features of a pretrained network (Sauer et al. 2021, Projected GANs Converge Faster)."""

    network = "zorse.networks.projected:projected_discriminator"
    initialises_itself = True  # Spectral normalisation makes the scale of its heads' weights irrelevant.
    trunk = "lite0"
    kind: Literal["projected"] = "projected"
    base_channels: PositiveInt = 64
    """Channels inside each head."""
    image_size: PositiveInt = 160
    """Pictures are resized to this side, in pixels, before the features are computed."""
    augment: Annotated[tuple[Augmentation, ...], _policy(MILD_AUGMENT)] = MILD_AUGMENT
    """What pictures go through before they are judged, in this order; true: brightness, contrast, translation."""


class CustomDiscriminatorConfig(Custom):
    """A discriminator of others: a torch.nn.Module, (N, C, H, W) in [-1, 1] -> logits, one map or several."""

    kind: ImportPath
    """Where its class is: "mypackage.nets:MyDiscriminator". Its argument in_channels, the C, comes from the method."""

    trunk: ClassVar[str | None] = None
    mixes_batch: ClassVar[bool] = False
    smallest_picture: ClassVar[int] = 1


DiscriminatorConfig = Annotated[
    Annotated[PatchGANConfig, Tag("patchgan")]
    | Annotated[PixelConfig, Tag("pixel")]
    | Annotated[ProjectedConfig, Tag("projected")]
    | Annotated[CustomDiscriminatorConfig, Tag(CUSTOM)],
    by_kind("patchgan", "pixel", "projected"),
]
