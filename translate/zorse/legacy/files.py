"""The files of pytorch-CycleGAN-and-pix2pix and CUT: what their names say, and which networks are in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from zorse.errors import WeightsError
from zorse.legacy.reading import flattened, is_own, read_content
from zorse.legacy.recognise import ForeignNetwork, find_networks
from zorse.model.card import Direction

OUR_NAMES: Mapping[str, str] = MappingProxyType(
    # Their D_A judges what G_A makes, which is in domain B.
    {"G": "G", "D": "D", "G_A": "G_AB", "G_B": "G_BA", "D_A": "D_B", "D_B": "D_A"}
)
"""Networks by their names there -> by ours."""

_FILE = re.compile(r"(?P<epoch>latest|best|\d+)_net_(?P<network>G|G_A|G_B|D|D_A|D_B)")


@dataclass(frozen=True)
class Found:
    """A network of a foreign checkpoint, and where it is."""

    file: Path
    place: str
    """In the file: "" where it is all that the file holds, "netG" and the like where it holds several."""
    name: str | None
    """What we call it: G, G_AB, G_BA, D, D_A or D_B; None where neither file nor place says it."""
    network: ForeignNetwork

    @property
    def direction(self) -> Direction | None:
        """Of a generator that has a twin for the other one."""
        match self.name:
            case "G_AB":
                return "AtoB"
            case "G_BA":
                return "BtoA"
            case _:
                return None

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.file} ({self.place})" if self.place else str(self.file)

    @property
    def model_name(self) -> str:
        """What the model is called: the file, or its folder where the file's name is only epoch and network."""
        name = self.file.resolve().parent.name if _FILE.fullmatch(self.file.stem) else self.file.stem
        return name.removesuffix("_pretrained") or "imported"


def networks_in(path: Path) -> list[Found]:
    """All networks in a file, or in the files of the newest epoch in a folder `checkpoints/NAME`.

    Raises:
        WeightsError: there is none, a file cannot be read, or it is a checkpoint of ours.
        IncompatibleWeights: one looks like a known network but is another one.
    """
    found = []
    for file in _newest_files(path) if path.is_dir() else [path]:
        content = read_content(file)
        if is_own(content):
            raise WeightsError(
                f"A checkpoint of another program was wanted, but {file} is one of Zorse. The generators of such a run "
                "are model files already, in the folders generators and generators_best of the run."
            )
        for place, network in find_networks(flattened(content), str(file)).items():
            found.append(Found(file, place, _our_name(file, place), network))
    return found


def _our_name(file: Path, place: str) -> str | None:
    inside = place.rpartition(".")[2].removeprefix("net").lstrip("_")
    named = _FILE.fullmatch(file.stem)
    return OUR_NAMES.get(inside) or (OUR_NAMES[named["network"]] if named else None)


def _newest_files(folder: Path) -> list[Path]:
    epochs: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.pth")):
        if named := _FILE.fullmatch(file.stem):
            epochs.setdefault(named["epoch"], []).append(file)
    if not epochs:
        raise WeightsError(
            f"{folder} holds no models: there is no file such as latest_net_G.pth or 200_net_G_A.pth in it. Wanted: a "
            "folder checkpoints/NAME of pytorch-CycleGAN-and-pix2pix or CUT, or one of its files."
        )
    return epochs[max(epochs, key=lambda epoch: (epoch == "latest", int(epoch) if epoch.isdecimal() else -1))]
