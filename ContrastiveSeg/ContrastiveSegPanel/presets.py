"""Quick, standard, thorough: what they set, and how long they take, as far as this computer was measured."""

import json
import re

from slicer.i18n import tr as _

from .memory import recall, remember

QUICK, STANDARD, THOROUGH = "quick", "standard", "thorough"
PRESETS = {QUICK: {"steps": 300}, STANDARD: {}, THOROUGH: {"epochs": 300}}
EPOCHS, BATCH = 100, 32  # the engine's defaults, for the estimate
CHECKED_PIXELS = 128 * 128
CHECK_RATE = "CheckSlicesPerSecond"
MEASURED = "Measured/"


def captions() -> dict:
    """What the menu shows."""
    return {
        QUICK: _("Quick: 300 steps"),
        STANDARD: _("Standard: 100 passes"),
        THOROUGH: _("Thorough: 300 passes"),
    }


def rememberCheck(line: str) -> None:
    """Keep the rate that the check measured."""
    found = re.search(r"\((\d+(?:\.\d+)?) slices/s\)", line)
    if found:
        remember(CHECK_RATE, found[1])


def rememberRun(kind: str, method: str, event) -> None:
    """Keep rate and memory of a real run; later estimates for this method rest on them."""
    if event.get("images_per_s"):
        kept = {"images_per_s": event["images_per_s"], "memory_mb": event.get("memory_mb")}
        remember(f"{MEASURED}{kind}/{method}", json.dumps(kept))


def stepsOf(settings, slices: int) -> int:
    """How many steps pre-training takes, as the engine counts them."""
    batch = int(settings.get("batch") or BATCH)
    return int(settings.get("steps") or settings.get("epochs", EPOCHS) * max(1, slices // batch))


def estimate(kind: str, method: str, *, steps: int, batch: int, pixels: int) -> tuple:
    """Seconds, GB and what they rest on; None where nothing was measured.

    Args:
        pixels: Of one patch, for the estimate from the check's step.
    """
    measured = json.loads(recall(f"{MEASURED}{kind}/{method}", "{}"))
    if measured:
        memory = measured.get("memory_mb")
        seconds = steps * batch / measured["images_per_s"]
        return seconds, memory / 1000 if memory else None, _("measured in your last run of this method")
    rate = float(recall(CHECK_RATE, "0"))
    if rate:
        views = 2 if kind == "pretrain" else 1
        seconds = steps * batch * views * pixels / CHECKED_PIXELS / rate
        return seconds, None, _("rough, from the check's training step")
    return None, None, ""
