"""The program that runs a stranger's network once; started by `OwnBackend`, imports nothing of Zorse.

Standard input: a line of JSON (`Task`), the model, the picture. Standard output: a line of JSON with the shape of the
result, then the result. Numbers are float32 in the machine's own order.
"""

import json
import sys
from typing import TypedDict

import numpy as np
import onnxruntime

OUT_OF_MEMORY = 3
"""Exit status."""


class Task(TypedDict):
    """What to do."""

    input: str
    output: str
    model_bytes: int
    shape: list[int]


def main() -> int:
    """Runs the network on the picture; the last line on standard error says what went wrong."""
    task: Task = json.loads(sys.stdin.buffer.readline())
    model = sys.stdin.buffer.read(task["model_bytes"])
    picture = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(task["shape"])
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (result,) = session.run([task["output"]], {task["input"]: picture})
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception as error:
        message = " ".join(str(error).split())
        sys.stderr.write(f"\n{message[:300]}\n")
        signs = ("bad_alloc", "bad allocation", "allocate memory", "out of memory")
        return OUT_OF_MEMORY if any(sign in message.lower() for sign in signs) else 1
    result = np.ascontiguousarray(result, np.float32)
    sys.stdout.buffer.write(json.dumps(result.shape).encode() + b"\n")
    sys.stdout.buffer.write(result.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
