"""The program that runs a stranger's network once; started by `OwnBackend`, imports nothing of Zorse.

Standard input: a line of JSON (`Task`), the model, its inputs. Standard output: a line of JSON with the shapes of the
results, then the results. Numbers are float32 in the machine's own order.
"""

import json
import math
import sys
from typing import TypedDict

import numpy as np
import onnxruntime

OUT_OF_MEMORY = 3
"""Exit status."""


class Task(TypedDict):
    """What to do."""

    model_bytes: int
    inputs: dict[str, list[int]]
    """Names and shapes."""
    outputs: list[str]


def main() -> int:
    """Runs the network once; the last line on standard error says what went wrong."""
    task: Task = json.loads(sys.stdin.buffer.readline())
    model = sys.stdin.buffer.read(task["model_bytes"])
    inputs = {
        name: np.frombuffer(sys.stdin.buffer.read(4 * math.prod(shape)), np.float32).reshape(shape)
        for name, shape in task["inputs"].items()
    }
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        results = session.run(task["outputs"], inputs)
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception as error:
        message = " ".join(str(error).split())
        sys.stderr.write(f"\n{message[:300]}\n")
        signs = ("bad_alloc", "bad allocation", "allocate memory", "out of memory")
        return OUT_OF_MEMORY if any(sign in message.lower() for sign in signs) else 1
    sys.stdout.buffer.write(json.dumps([result.shape for result in results]).encode() + b"\n")
    for result in results:
        sys.stdout.buffer.write(np.ascontiguousarray(result, np.float32).tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
