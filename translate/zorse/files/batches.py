"""Files in batches, for programs that spread work over many processes: Ray Data, Dask, multiprocessing."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

from zorse.files.jobs import Job
from zorse.files.translate import Settings, translate_files
from zorse.loading import load
from zorse.runtime.translator import Options


class TranslateBatch:
    """Translates batches of files; made once in each process, where it loads the model.

    Args:
        model: a shipped model's name, or a model file that every machine sees.
        threads: CPU threads of the network.
        options: of each picture, see `Translator.translate`.
    """

    def __init__(self, model: str, threads: int = 1, **options: Unpack[Options]) -> None:
        self._translate = partial(load(model, threads=threads).translate, **options)

    def __call__(self, batch: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Works on the files of a batch; what is done already is left out.

        Args:
            batch: columns of equal length: `source`, the files, and `target`, where their translations go.

        Returns:
            Two such columns: `source`, and `error`, which is empty where all went well.
        """
        jobs = [
            Job(Path(source), Path(target)) for source, target in zip(batch["source"], batch["target"], strict=True)
        ]
        outcomes = list(translate_files(self._translate, jobs, Settings(resume=True)))
        return {
            "source": [str(outcome.job.source) for outcome in outcomes],
            "error": [str(outcome.error or "") for outcome in outcomes],
        }
