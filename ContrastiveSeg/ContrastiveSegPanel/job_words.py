"""What a job's events say, as one line for people, and how the job ended."""

from dataclasses import dataclass

from slicer.i18n import tr as _

DONE, CANCELLED, FAILED, DIED, GONE = "done", "cancelled", "failed", "died", "gone"


@dataclass(frozen=True)
class Outcome:
    """How a job ended: one of the words above, and a paragraph for the user."""

    kind: str
    text: str = ""


def outcomeOf(job, events) -> Outcome:
    """How an ended job ended, from the last thing it said."""
    ends = [event for event in events if event.get("kind") == "end"]
    if job.is_folder_gone():
        return Outcome(GONE, _("The run folder {path} is no longer there.").format(path=job.folder.parent))
    if ends:
        said, text = str(ends[-1].get("outcome")), str(ends[-1].get("text", ""))
        if said == "done":
            return Outcome(DONE)
        return Outcome(CANCELLED if said in ("Cancelled", "KeyboardInterrupt") else FAILED, text)
    code = job.process.poll() if job.process is not None else None
    if code == 0:
        return Outcome(DONE)
    last = lastParagraph(job.tail())
    if job.cancelled_at is not None:
        return Outcome(CANCELLED, _("The job was ended; what it saved before is kept."))
    if code is None or code < 0 or not last:
        ended = _("The job ended without a message: it was ended from outside, or memory ran out.")
        return Outcome(
            DIED, ended + " " + _("What it saved before is kept; start it again to go on.") + f" {last}"
        )
    return Outcome(FAILED, last)


def lastParagraph(text: str) -> str:
    """The last line that is not a progress bar."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "it/s" not in line]
    return lines[-1] if lines else ""


def progressWords(event) -> str:
    """Step, rate, time left and memory of a progress event."""
    parts = [_("step {step} of {steps}").format(step=event.get("step"), steps=event.get("steps"))]
    if event.get("eta_s") is not None:
        parts.append(_("{time} left").format(time=duration(event["eta_s"])))
    if event.get("images_per_s"):
        parts.append(_("{rate:.0f} images/s").format(rate=event["images_per_s"]))
    if event.get("memory_mb"):
        parts.append(_("{memory:.1f} GB").format(memory=event["memory_mb"] / 1000))
    return ", ".join(parts)


def readingWords(number: int, total: int) -> str:
    """While cases are prepared.

    Args:
        number: How many are ready.
    """
    if number >= total:
        return _("{total} cases are read").format(total=total)
    return _("reading case {number} of {total}").format(number=number + 1, total=total)


def caseWords(event) -> str:
    """While one of several cases is worked on."""
    words = _("case {number} of {cases}: {case}")
    return words.format(number=event.get("number"), cases=event.get("cases"), case=event.get("case"))


def duration(seconds: float) -> str:
    """Such as "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return _("{n:.0f} s").format(n=seconds)
    if seconds < 5400:
        return _("{n:.0f} min").format(n=seconds / 60)
    return _("{h:.0f} h {m:.0f} min").format(h=seconds // 3600, m=seconds % 3600 / 60)
