"""What the page does, without the page: a picture comes in, files to show and to download come out."""

import base64
import binascii
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zorse.confined.files import translate_confined_video
from zorse.errors import ConfigError, ImageError
from zorse.files.names import plain_name
from zorse.imaging.edges import EDGE_METHODS, EdgeMethod, Lines, extract_edges
from zorse.imaging.io import Picture, encode_picture, on_white
from zorse.imaging.strokes import with_strokes
from zorse.imaging.tensor import resize
from zorse.imaging.video.progress import VideoProgress
from zorse.model.card import ModelCard
from zorse.runtime.translator import Size, Translator, working_size
from zorse.system.extras import require
from zorse_app import texts
from zorse_app.limits import Limits
from zorse_app.picture_files import PictureFile, Tell, Wish, open_file, silence, translate_file
from zorse_app.shelf import Shelf
from zorse_app.sketch import clean_lines, colour_strokes
from zorse_app.stops import Stops
from zorse_app.uploads import Upload

MAX_VIDEO_FRAMES = 900
"""Longer videos are refused: half a minute of them takes minutes."""

SHOWN_SIDE = 1600
"""Long side, in pixels, of the pictures in the before/after slider; the download has the full size."""

_NOT_PLAIN, _ESCAPED = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&-])"), r"\\\1"
"""What Markdown and HTML would take for their own."""

_PNG_URL = "data:image/png;base64,"


@dataclass(frozen=True)
class Outcome:
    """What the page shows."""

    before: Path
    """Picture for the slider's left side."""
    after: Path
    """Picture of the same size for its right side."""
    download: Path
    """The result at full size, in the format of the input where it can be written."""
    caption: str
    """Which model, in which state, and how long it took; Markdown."""


class Service:
    """Translates what visitors send. Safe to use from several threads.

    Args:
        shelf: the models.
        folder: where results are written; who made it empties it.
    """

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self.shelf = shelf
        self.limits = shelf.gate.limits
        self.folder = folder
        self.stops = Stops()

    def translate_photo(
        self, photo: Upload, model: str, size: Size = "native", strength: float = 1.0, tell: Tell = silence
    ) -> Outcome:
        """Translates a photo or painting; of an animation, each frame.

        Args:
            photo: what the visitor sent.
            model: a name on the shelf.
            size: see `Translator.translate`.
            strength: 0 is the picture, 1 the translation.
            tell: is told how far the work is.

        Raises:
            ImageError: not a picture, damaged, or too large.
            UnknownModel: no such model.
            ConfigError: size or strength make no sense.
        """
        file = _sent(photo)
        translated = translate_file(self.shelf, file, Wish(model, size, strength), tell=tell)
        translator = self.shelf.translator(model)
        name = f"{_plain(Path(photo.name).stem)}_{_plain(translator.card.name)}{translated.suffix}"
        before, after = translated.before, translated.after
        outcome = self._outcome(before, after, translated.content, name, translator, translated.seconds)
        return replace(outcome, caption=outcome.caption + _notes(translated.receipt.told()))

    def translate_video(
        self, video: Upload, model: str, strength: float = 1.0, tell: Tell = silence
    ) -> tuple[Path, list[str]]:
        """Translates a short video with its sound.

        Args:
            video: what the visitor sent.
            model: a name on the shelf.
            strength: 0 is the video, 1 the translation.
            tell: is told how far the work is.

        Returns:
            The new file, .webm for .webm, else .mp4; and sentences on what it could not hold.

        Raises:
            ImageError: not a video, or too long.
            UnknownModel: no such model.
            MissingExtraError: the package av is not installed.
        """
        translator = self.shelf.translator(model)
        self.limits.check_bytes(video.path.stat().st_size)
        suffix = ".webm" if Path(video.name).suffix.lower() == ".webm" else ".mp4"
        target = self.new_folder() / f"{_plain(Path(video.name).stem)}_{model}{suffix}"

        def translated(frame: Picture, progress: VideoProgress) -> Picture:
            _tell_of_video(tell, progress)
            return translator.translate(frame, strength=strength)

        require(texts.READING_VIDEO.format(name=video.name), "video")
        try:
            made = translate_confined_video(
                video.path, target, self.limits.file_memory, self.limits.check_picture, translated
            )
        except ImageError as error:  # must not name a path of this computer
            raise ImageError(str(error).replace(str(video.path), video.name)) from error
        damage = [texts.VIDEO_DAMAGED.format(damage=made.damage)] if made.damage else []
        return target, [*damage, *made.receipt.told()]

    def translate_sketch(self, sketch: Upload, model: str) -> Outcome:
        """Turns an uploaded sketch, also a photographed one, into a photo.

        Args:
            sketch: what the visitor sent.
            model: a name on the shelf, of a model that takes edges.

        Raises:
            ImageError: not a picture, damaged, too large, or without lines.
            UnknownModel: no such model.
        """
        picture = _first_frame(_sent(sketch), self.limits)
        translator = self.shelf.translator(model)
        return self._from_sketch(picture, translator, Path(sketch.name).stem)

    def translate_drawing(self, drawing: str, model: str) -> Outcome:
        """Turns a drawing from the page's sheet of paper into a photo.

        Args:
            drawing: a PNG file as a data URL.
            model: a name on the shelf, of a model that takes edges.

        Raises:
            ImageError: not such a URL, or nothing is drawn.
            UnknownModel: no such model.
        """
        translator = self.shelf.translator(model)
        return self._from_sketch(_first_frame(_drawn(drawing), self.limits), translator, "drawing")

    def lines_of(
        self, photo: Upload, model: str, detail: float = 0.5, shortest: int = 8, method: EdgeMethod = "canny"
    ) -> Lines:
        """The edges of a photo, at the size that a model works at.

        Args:
            photo: what the visitor sent.
            model: a name on the shelf, of a model that takes edges.
            detail: from 0, only the strongest edges, to 1, nearly all.
            shortest: edges of fewer pixels are left out.
            method: see `zorse.imaging.edges.extract_edges`.

        Returns:
            (height, width) uint8, 0 on 255.

        Raises:
            ImageError: not a picture, damaged, or too large.
            UnknownModel: no such model.
            ConfigError: a setting makes no sense.
        """
        if not 0 <= detail <= 1:
            raise ConfigError(texts.NO_DETAIL.format(detail=detail))
        if method not in EDGE_METHODS:
            raise ConfigError(texts.NO_METHOD.format(method=method, known=", ".join(EDGE_METHODS)))
        picture = _first_frame(_sent(photo), self.limits)
        native_size = self.shelf.translator(model).card.native_size
        height, width = working_size(picture.height, picture.width, "native", native_size)
        return extract_edges(resize(on_white(picture), height, width), method, detail, shortest)

    def translate_lines(self, lines: Lines, model: str, name: str) -> Outcome:
        """Turns thin lines into a photo.

        Args:
            lines: (height, width) uint8, 0 on 255.
            model: a name on the shelf, of a model that takes edges.
            name: what the download is called after.

        Raises:
            ImageError: there are no lines.
            UnknownModel: no such model.
        """
        return self._from_drawing(np.repeat(lines[:, :, None], 3, axis=2), self.shelf.translator(model), name)

    def _from_sketch(self, sketch: Picture, translator: Translator, name: str) -> Outcome:
        side = translator.card.native_size
        lines = clean_lines(sketch, side)
        blank = np.full((*lines.shape, 3), 255, np.uint8)
        strokes = colour_strokes(sketch, side) if translator.card.takes_strokes else blank
        return self._from_drawing(with_strokes(lines, strokes), translator, name)

    def _from_drawing(self, drawing: NDArray[np.uint8], translator: Translator, name: str) -> Outcome:
        if drawing.min() == 255:
            raise ImageError(texts.NO_LINES)
        picture = Picture(drawing)
        start = time.perf_counter()
        translated = translator.translate(picture, size="keep")
        seconds = time.perf_counter() - start
        name = f"{_plain(name)}_{_plain(translator.card.name)}.png"
        return self._outcome(picture, translated, encode_picture(translated, ".png"), name, translator, seconds)

    def _outcome(
        self, before: Picture, after: Picture, content: bytes, name: str, translator: Translator, seconds: float
    ) -> Outcome:
        folder = self.new_folder()
        outcome = Outcome(
            before=folder / "before.jpg",
            after=folder / "after.jpg",
            download=folder / name,
            caption=caption(translator.card, translator.provider, seconds),
        )
        outcome.before.write_bytes(_shown(before))
        outcome.after.write_bytes(_shown(after))
        outcome.download.write_bytes(content)
        return outcome

    def new_folder(self) -> Path:
        """An empty folder for results, whose name nobody can guess."""
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        return folder


def caption(card: ModelCard, provider: str, seconds: float) -> str:
    """What a visitor should know about a result, as one line of Markdown."""
    took = texts.TOOK.format(seconds=f"{seconds:.2f}", device=texts.GPU if "CUDA" in provider else texts.CPU)
    return texts.CAPTION.format(task=card.task, state=texts.STATES[card.state], took=took)


def _notes(sentences: Sequence[str]) -> str:
    """Lines of Markdown below a caption; file names and texts of a stranger's file are not Markdown."""
    return "".join(f"\n\n{_NOT_PLAIN.sub(_ESCAPED, sentence)}" for sentence in sentences)


def _tell_of_video(tell: Tell, progress: VideoProgress) -> None:
    frames = max(progress.frames + 1, progress.total or 0)
    if frames > MAX_VIDEO_FRAMES:
        raise ImageError(texts.VIDEO_TOO_LONG.format(frames=frames, limit=MAX_VIDEO_FRAMES))
    tell(min(progress.frames / progress.total, 1.0) if progress.total else 0.0, progress.remaining)


def _sent(upload: Upload) -> PictureFile:
    """Its name is the visitor's, so that no error can name a path of this computer."""
    return PictureFile(upload.path.read_bytes, upload.name, upload.path.stat().st_size)


def _first_frame(file: PictureFile, limits: Limits) -> Picture:
    limits.check_bytes(file.n_bytes)
    with open_file(file, limits) as opened:
        return opened.first_frame()


def _drawn(url: str) -> PictureFile:
    if not url.startswith(_PNG_URL):
        raise ImageError(texts.NO_DRAWING)
    try:
        content = base64.b64decode(url.removeprefix(_PNG_URL), validate=True)
    except binascii.Error:
        raise ImageError(texts.NO_DRAWING) from None
    return PictureFile(lambda: content, texts.DRAWING, len(content))


def _shown(picture: Picture) -> bytes:
    rgb = on_white(picture)
    scale = min(1.0, SHOWN_SIDE / max(rgb.shape[:2]))
    rgb = resize(rgb, max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    return encode_picture(Picture(rgb), ".jpg")


def _plain(stem: str) -> str:
    """A file name that every system takes."""
    return plain_name(stem, "picture")[:80].strip("._") or "picture"
