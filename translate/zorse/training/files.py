"""The run folder, which kind of run is in it, and what happens when its disk is full."""

import errno
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from zorse.errors import ConfigError, WeightsError, ZorseError
from zorse.loading import read_file_card
from zorse.model.card import Direction
from zorse.model.registry import official_models, sample_models, shipped_models
from zorse.system.atomic import replacing

Checkpoint = Literal["last", "best"]
"""The newest state of a run, or the one whose pictures were nearest to real ones."""

_SAMPLE_SETS = frozenset({"mixture", "digits", "pictures"})
"""Kinds of data that generators of samples learn from (`zorse.gans.data.config`); all others are for translators."""
_DISK_PROBLEMS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EFBIG,
        errno.EIO,
        errno.EISDIR,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Inside, a disk that is full or forbidden becomes an error for the user.

    Raises:
        ZorseError: `path`, or something in it, could not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_PROBLEMS:
            raise
        raise ZorseError(
            f"{path} could not be written ({error.strerror}). What was saved before is untouched. Free some disk space "
            "and run the same command with --resume if there is a checkpoint, or choose another folder with --out."
        ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file of the run, which takes the place of `path` only when it is complete.

    Raises:
        ZorseError: it could not be written (a full disk); what stood at `path` before is untouched.
    """
    with disk_errors(path), replacing(path) as file:
        file.write(content)


def save_atomically(path: Path, save: Callable[[BinaryIO], object]) -> None:
    """Likewise, for what `save` hands to torch.save.

    Raises:
        ZorseError: as above.
    """
    with disk_errors(path), replacing(path) as file:
        _fill(file, save)


def _fill(file: BinaryIO, save: Callable[[BinaryIO], object]) -> None:
    try:
        save(file)
    except RuntimeError as error:
        # torch.save hides a full disk behind a complaint about positions in its archive.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a training run are."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings, as TOML."""
        return self.root / "config.toml"

    @property
    def lock(self) -> Path:
        """Held by the process that trains here."""
        return self.root / ".lock"

    @property
    def metrics(self) -> Path:
        """Losses, one JSON object per line."""
        return self.root / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.root / "tensorboard"

    @property
    def samples(self) -> Path:
        """Folder of picture grids."""
        return self.root / "samples"

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint, from which the run resumes."""
        return self.root / "checkpoints" / "last.pt"

    @property
    def previous_checkpoint(self) -> Path:
        """The one before it, from which the run resumes where the newest is damaged."""
        return self.root / "checkpoints" / "previous.pt"

    @property
    def healthy_checkpoint(self) -> Path:
        """The newest checkpoint that was saved while no collapse stood or was in sight."""
        return self.root / "checkpoints" / "healthy.pt"

    @property
    def generators(self) -> Path:
        """Folder of the generators as model files with cards, ready to use or export."""
        return self.root / "generators"

    @property
    def kept_generators(self) -> Path:
        """Folder of folders: generators as they were after so many iterations, by which the folders are named."""
        return self.root / "generators_kept"

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint that measured best."""
        return self.root / "checkpoints" / "best.pt"

    @property
    def best_generators(self) -> Path:
        """Folder of its generators."""
        return self.root / "generators_best"

    @property
    def best_record(self) -> Path:
        """What was measured of it, as JSON."""
        return self.root / "best.json"

    def generator_files(self, checkpoint: Checkpoint = "last") -> list[Path]:
        """The model files of a checkpoint's generators.

        Raises:
            WeightsError: there are none.
        """
        folder = self.generators if checkpoint == "last" else self.best_generators
        files = sorted(folder.glob("*.safetensors"))
        if files:
            return files
        if checkpoint == "best" and any(self.generators.glob("*.safetensors")):
            raise WeightsError(
                f"The best checkpoint of {self.root} was wanted, but none was kept: the run has not been evaluated yet "
                "(training.evaluate_every, 0 for never, and the end of the run say when). Take --checkpoint last."
            )
        raise WeightsError(
            f"{self.root} holds no generators: there is no .safetensors file in {folder}. Wanted: the folder of a "
            "training run (zorse train --out) that has reached its first checkpoint, or a model file."
        )


def generator_of_run(run: Path, direction: Direction | None = None, checkpoint: Checkpoint = "last") -> Path:
    """The model file of a run's generator.

    Args:
        run: the run's folder.
        direction: of the translation; None takes AtoB where the run has both.
        checkpoint: which one of the run.

    Raises:
        WeightsError: there is no generator, or none of that direction, or the run draws samples from noise.
    """
    folder = RunFolder(run)
    check_translates(folder)
    files = {read_file_card(file).direction: file for file in folder.generator_files(checkpoint)}
    wanted = direction or ("AtoB" if "AtoB" in files else "BtoA")
    if wanted not in files:
        raise WeightsError(
            f"The training run {run} has no generator for {wanted}, only for {next(iter(files))}. Leave --direction "
            "out, or train with cyclegan, which learns both."
        )
    return files[wanted]


def read_settings(path: Path) -> dict[str, Any]:
    """What a TOML file holds, whatever it means.

    Raises:
        ConfigError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read ({error.strerror or error}). Wanted: a TOML file such as the "
            "config.toml of a run."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} is not valid TOML: {error}.") from error


def draws_samples(config: Path) -> bool:
    """Whether a run's settings are those of a generator that draws from noise, and not of one that translates.

    Args:
        config: its config.toml, or another file of settings.

    Raises:
        ConfigError: no such file, or not TOML.
    """
    data = read_settings(config).get("data")
    return isinstance(data, dict) and data.get("kind") in _SAMPLE_SETS


def check_translates(run: RunFolder) -> None:
    """See that a run has generators that translate.

    Raises:
        WeightsError: it draws samples from noise.
    """
    if run.config.exists() and draws_samples(run.config):
        raise WeightsError(
            f"The run in {run.root} draws samples from noise and translates nothing: a run of a CycleGAN, pix2pix, CUT "
            "or distillation was wanted."
        )


def check_of_run(model: str | Path, checkpoint: Checkpoint) -> None:
    """See that a choice among a run's checkpoints is made for a run.

    Args:
        model: that is no folder.
        checkpoint: the choice.

    Raises:
        ConfigError: the best one was asked for.
    """
    if checkpoint == "best":
        raise ConfigError(
            f"--checkpoint best chooses one of a training run, but {model} is a single model. Leave it out, or name "
            "the run's folder."
        )


def check_same_method(run: RunFolder, saved: str, named: str) -> None:
    """See that a run is gone on with as what it is.

    Args:
        run: to go on with.
        saved: the kind of its recipe.
        named: that of the preset that was named for it.

    Raises:
        ConfigError: they differ.
    """
    if saved != named:
        raise ConfigError(
            f"The run in {run.root} trains {saved}, but the preset that was named for going on with it is one of "
            f"{named}. Name the preset that it was started with, or choose another --out."
        )


def names_a_folder(model: str | Path) -> bool:
    """Whether a model that is named so is in a folder: a run's, or one with checkpoints of another program.

    A folder of pictures may bear a shipped model's name, as horse2zebra does; then the shipped model is meant.
    """
    folder = Path(model)
    if not folder.is_dir():
        return False
    holds_models = RunFolder(folder).config.is_file() or any(folder.glob("*.pth"))
    return holds_models or folder.as_posix() not in {*shipped_models(), *sample_models(), *official_models()}
