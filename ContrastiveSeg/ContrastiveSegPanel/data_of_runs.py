"""Which data folder each run was used with on this computer, so that it comes back with the run."""

import json
from pathlib import Path

from . import user_settings

KEY = "DataOfRuns"
KEPT = 50  # runs


def remember(run: str, folder: str) -> None:
    """This run belongs to this data folder now; "" to none."""
    known = _all()
    known.pop(run, None)
    known[run] = folder  # the newest is the last
    user_settings.remember(KEY, json.dumps(dict(list(known.items())[-KEPT:])))


def recall(run: str, asked) -> str:
    """The data folder of a run, "" if nobody knows.

    Args:
        asked: What the run's settings.json says: a run from elsewhere knows where its images were.
    """
    known = _all()
    if run in known:
        return str(known[run])
    images = str(asked.get("pretrain", {}).get("images") or "")
    return images if images and Path(images).is_dir() else ""


def _all() -> dict:
    try:
        known = json.loads(user_settings.recall(KEY, "{}"))
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
