"""The generators that the authors of CycleGAN and pix2pix have published: downloaded, converted, kept in the cache."""

from zorse.backends.torch.safetensors_file import load_generator, save_generator
from zorse.errors import WeightsError
from zorse.legacy.importing import import_generator
from zorse.legacy.reading import file_sha256
from zorse.model.registry import Progress, cache_folder, fetch_whole, official_entry, official_file

LICENCE = "BSD 2-Clause (pytorch-CycleGAN-and-pix2pix); its authors name no licence for the weights"
PAPERS = "Zhu et al. 2017, Isola et al. 2017"


def download_official(name: str, progress: Progress = lambda done, total: None) -> str:
    """Bring a published checkpoint to the cache as a model file of ours, unless it is there.

    Nothing in the checkpoint is run: only its tensors are read.

    Args:
        name: "official/horse2zebra".
        progress: told after each part of the download.

    Returns:
        SHA-256 of the checkpoint that came, or "" where the model was there already.

    Raises:
        UnknownModel: there is none of that name.
        ChecksumMismatch: what came is not what the registry knows.
        WeightsError: the server or the disk failed, or what came is no checkpoint.
    """
    entry, target = official_entry(name), official_file(name)
    if target.is_file():
        load_generator(target)  # It says so if it has been damaged.
        return ""
    stem = name.rpartition("/")[2]
    checkpoint = fetch_whole(entry.url, cache_folder() / f"{target.stem}.pth", entry.sha256, progress)
    try:
        sha256 = file_sha256(checkpoint)
        network, card = import_generator(
            checkpoint,
            {
                "name": stem,
                "task": entry.task,
                "domain_a": entry.domain_a,
                "domain_b": entry.domain_b,
                "direction": entry.direction,
                "keeps_detail": entry.keeps_detail,
                "licence": LICENCE,
                "state": "release",
                "training": f"On {entry.data}: {entry.data_origin}; licence of the pictures: {entry.data_licence}. "
                f"Published by its authors ({PAPERS}) at {entry.url}. The checkpoint's sha256 is {sha256}, "
                f"{'as was expected' if entry.sha256 else 'and nobody has published one to compare it with'}.",
            },
        )
        save_generator(target, network, card)
    except WeightsError as error:
        raise type(error)(f"What came from {entry.url} cannot be used, and is deleted. {error}") from error
    finally:
        checkpoint.unlink()
    return sha256
