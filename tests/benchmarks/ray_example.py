"""A folder of any size on a Ray cluster: python ray_example.py horse2zebra photos/ zebras/ (pip install 'zorse[ray]').

Each actor loads the model once. Files are read and written by the actors, so all machines need to see both folders. Run
it again after a failure: what is done is left out.
"""

import sys
from pathlib import Path

import ray

import zorse
from zorse.runtime.files import Settings, translate_files
from zorse.runtime.jobs import Job, plan


class Translate:
    def __init__(self, model):
        self.translator = zorse.load(model, threads=1)

    def __call__(self, batch):
        jobs = [
            Job(Path(source), Path(target)) for source, target in zip(batch["source"], batch["target"], strict=True)
        ]
        outcomes = list(translate_files(self.translator.translate, jobs, Settings(resume=True)))
        return {"file": [str(o.job.source) for o in outcomes], "error": [str(o.error or "") for o in outcomes]}


def main(model, folder, out):
    jobs = plan([Path(folder).resolve()], Path(out).resolve(), model)
    files = ray.data.from_items([{"source": str(job.source), "target": str(job.target)} for job in jobs])
    actors = ray.data.ActorPoolStrategy(size=int(ray.cluster_resources()["CPU"]))
    done = files.map_batches(Translate, fn_constructor_args=(model,), batch_size=16, compute=actors, num_cpus=1)
    errors = [row["error"] for row in done.take_all() if row["error"]]
    print(f"{len(jobs) - len(errors)} of {len(jobs)} pictures translated.", *errors, sep="\n")


if __name__ == "__main__":
    ray.init(log_to_driver=False)
    main(*sys.argv[1:])
