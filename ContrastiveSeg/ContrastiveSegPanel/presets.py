"""Quick, standard, thorough: what they set, and what that takes by a plan of the engine."""

from slicer.i18n import tr as _

from ContrastiveSegLib.preprocessing.plan import plan_pretraining
from ContrastiveSegLib.settings.job_settings import PretrainSettings
from ContrastiveSegLib.settings.schema import from_dict

from . import job_words

QUICK, STANDARD, THOROUGH = "quick", "standard", "thorough"
PRESETS = {QUICK: {"steps": 300}, STANDARD: {}, THOROUGH: {"epochs": 300}}


def captions() -> dict:
    """What the menu shows."""
    return {
        QUICK: _("Quick: 300 steps"),
        STANDARD: _("Standard: 100 passes"),
        THOROUGH: _("Thorough: 300 passes"),
    }


def stepsOf(settings, slices: int) -> int:
    """How many steps pre-training takes with these settings of the form.

    Args:
        slices: Of all cases together.
    """
    asked = from_dict(PretrainSettings, {"run": ".", **settings})
    return plan_pretraining(slices, epochs=asked.epochs, steps=asked.steps, batch=asked.batch).steps


def seconds(plan, steps: int) -> float:
    """From Start to the end: the program, the cases, the steps."""
    reading = plan["cases"] * plan["seconds_per_case"]
    return float(plan["startup_s"] + reading + steps * plan["seconds_per_step"])


def words(plan, steps: int) -> str:
    """Steps, time and memory of a plan."""
    text = _("{steps} steps, about {time}, {memory:.1f} GB of memory (measured on this computer)")
    time = job_words.duration(seconds(plan, steps))
    return text.format(steps=steps, time=time, memory=(plan["memory_mb"] or 0) / 1000)
