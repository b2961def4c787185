"""Architectures as plain data: what a card stores and `networks.build` turns into modules.

A new one of Zorse's own has its settings here, whose `network` says where it is built, and a line in the table below
them. Strangers' are named by import path and need no line.

This module imports no torch: a card can be read, and a model translated with, where torch is not installed.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PositiveInt, Tag

from zorse.system.import_paths import ImportPath

Norm = Literal["batch", "instance", "instance_affine", "none"]
"""`instance` has neither parameters nor running statistics, `instance_affine` a scale and a shift for each channel."""


Initialisation = Literal["normal", "xavier"]
"""How fresh weights are drawn: from N(0, 0.02), or by Xavier's rule times 0.02."""


class Frozen(BaseModel):
    """Immutable settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Custom(Frozen):
    """Settings of a class of somebody else; those without a meaning to Zorse are its keyword arguments."""

    model_config = ConfigDict(extra="allow")

    kind: ImportPath
    """Where it is: "package.module:Name"."""

    @property
    def options(self) -> dict[str, Any]:
        """Its keyword arguments."""
        return dict(self.model_extra or {})


def by_kind(value: Any) -> str | None:
    """The tag of settings in a table of kinds: their `kind`, or "custom" for an import path."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "custom" if isinstance(kind, str) and ":" in kind else kind


def kind_table(*known: str) -> Discriminator:
    """What tells the settings of a table apart, and what is said where they are of no known kind."""
    wanted = ", ".join(known)
    return Discriminator(
        by_kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"`kind` must be one of {wanted}, or an import path such as mypackage.module:Name",
    )


class ResnetConfig(Frozen):
    """ResNet generator (Johnson et al. 2016; Zhu et al. 2017, appendix 7.2)."""

    network: ClassVar = "zorse.networks.resnet:ResnetGenerator"
    works_at_crop_size: ClassVar = False
    """Whether pictures larger than the crops of the training would show it what it has not learned."""
    dropout_at_test: ClassVar = False

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


class UnetConfig(Frozen):
    """U-Net generator (Isola et al. 2017, appendix 6.1.1)."""

    network: ClassVar = "zorse.networks.unet:UnetGenerator"
    works_at_crop_size: ClassVar = True
    """Its innermost layers see a single position of the crops: taps beside it have learned nothing."""

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
        """Whether dropout stays on when the model is used (Isola et al. 2017, section 3.4)."""
        return self.dropout


class CompactConfig(Frozen):
    """Zorse's own generator for CPUs and browsers: residual blocks at quarter resolution, a change as output."""

    network: ClassVar = "zorse.networks.compact:CompactGenerator"
    works_at_crop_size: ClassVar = False
    dropout_at_test: ClassVar = False

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
    """Somebody else's generator: a torch.nn.Module, (N, 3, H, W) -> (N, 3, H, W), both in [-1, 1]."""

    in_channels: ClassVar = 3
    out_channels: ClassVar = 3
    works_at_crop_size: ClassVar = False
    dropout_at_test: ClassVar = False

    size_multiple: PositiveInt = 1
    """Height and width must be multiples of this."""


GeneratorConfig = Annotated[
    Annotated[ResnetConfig, Tag("resnet")]
    | Annotated[UnetConfig, Tag("unet")]
    | Annotated[CompactConfig, Tag("compact")]
    | Annotated[CustomGeneratorConfig, Tag("custom")],
    kind_table("resnet", "unet", "compact"),
]


Augmentation = Literal["brightness", "saturation", "contrast", "translation", "cutout"]
DIFF_AUGMENT: tuple[Augmentation, ...] = ("brightness", "saturation", "contrast", "translation", "cutout")
"""The policy of DiffAugment (Zhao et al. 2020): color, translation, cutout."""
MILD_AUGMENT: tuple[Augmentation, ...] = ("brightness", "contrast", "translation")
"""A part of it that leaves whole pictures and their colours to judge."""


def _policy(usual: tuple[Augmentation, ...]) -> BeforeValidator:
    """Lets a policy be written as true or false, for the usual one or none."""
    return BeforeValidator(lambda value: (usual if value else ()) if isinstance(value, bool) else value)


class PatchGANConfig(Frozen):
    """PatchGAN discriminator (Isola et al. 2017, section 3.2.2): one logit per patch."""

    network: ClassVar = "zorse.networks.patchgan:patchgan"

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
    def smallest_picture(self) -> int:
        """Least height and width, in pixels, of a picture that can be judged."""
        # After all halvings of the picture and its features, two 4x4 convolutions are left.
        return int(3 * 2 ** (self.n_layers + self.scales - 1))


class PixelConfig(Frozen):
    """1x1 PatchGAN (Isola et al. 2017, appendix 6.1.2): judges each pixel alone."""

    network: ClassVar = "zorse.networks.patchgan:pixel"

    kind: Literal["pixel"] = "pixel"
    base_channels: PositiveInt = 64
    """Channels of the first convolution; the papers' ndf."""
    norm: Norm = "instance"
    """Normalisation after the second convolution."""
    augment: Annotated[tuple[Augmentation, ...], _policy(DIFF_AUGMENT)] = ()
    """What pictures go through before they are judged, in this order, for small sets; true: all of DiffAugment."""


class ProjectedConfig(Frozen):
    """Heads on frozen features of a pretrained network (Sauer et al. 2021, Projected GANs Converge Faster)."""

    network: ClassVar = "zorse.networks.projected:projected"

    kind: Literal["projected"] = "projected"
    base_channels: PositiveInt = 64
    """Channels inside each head."""
    image_size: PositiveInt = 160
    """Pictures are resized to this side, in pixels, before the features are computed."""
    augment: Annotated[tuple[Augmentation, ...], _policy(MILD_AUGMENT)] = MILD_AUGMENT
    """What pictures go through before they are judged, in this order; true: brightness, contrast, translation."""


class CustomDiscriminatorConfig(Custom):
    """Somebody else's discriminator: a torch.nn.Module, (N, in_channels, H, W) in [-1, 1] -> logits, a map or a list of
    maps. Its first argument is `in_channels`: 3, or 6 for the pairs of pix2pix."""


DiscriminatorConfig = Annotated[
    Annotated[PatchGANConfig, Tag("patchgan")]
    | Annotated[PixelConfig, Tag("pixel")]
    | Annotated[ProjectedConfig, Tag("projected")]
    | Annotated[CustomDiscriminatorConfig, Tag("custom")],
    kind_table("patchgan", "pixel", "projected"),
]
