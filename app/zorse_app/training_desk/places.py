"""Where trainings are kept."""

import os
import sys
from pathlib import Path


def trainings_folder() -> Path:
    """$ZORSE_RUNS, or `zorse/trainings` in the folder where the user's programs keep their data."""
    if "ZORSE_RUNS" in os.environ:
        return Path(os.environ["ZORSE_RUNS"])
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "zorse" / "trainings"
