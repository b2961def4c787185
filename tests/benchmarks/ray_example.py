"""A folder of any size on a Ray cluster: python ray_example.py horse2zebra photos/ zebras/ (pip install 'zorse[ray]').

Each actor loads the model once and takes one core. Files are read and written by the actors, so all machines need to
see both folders. Run it again after a failure: what is done is left out.
"""

import sys
from pathlib import Path

import ray

from zorse.files.batches import TranslateBatch
from zorse.files.jobs import plan

model, folder, out = sys.argv[1:]
jobs = plan([Path(folder).resolve()], Path(out).resolve(), model)
ray.init(log_to_driver=False)
files = ray.data.from_items([{"source": str(job.source), "target": str(job.target)} for job in jobs])
actors = ray.data.ActorPoolStrategy(size=int(ray.cluster_resources()["CPU"]))
done = files.map_batches(TranslateBatch, fn_constructor_args=(model,), batch_size=16, compute=actors, num_cpus=1)
errors = [row["error"] for row in done.take_all() if row["error"]]
print(f"{len(jobs) - len(errors)} of {len(jobs)} pictures translated.", *errors, sep="\n")
