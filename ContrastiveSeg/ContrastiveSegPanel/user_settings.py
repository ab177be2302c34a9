"""What is remembered for this user on this computer, beyond scenes: always as text."""

import slicer


def remember(key: str, text: str) -> None:
    """Keep a text for later sessions."""
    slicer.app.userSettings().setValue(f"ContrastiveSeg/{key}", text)


def recall(key: str, otherwise: str = "") -> str:
    """The text that was kept."""
    # A number comes back as a number in the session that wrote it, and as a text in the next.
    return slicer.util.settingsValue(
        f"ContrastiveSeg/{key}", otherwise, converter=str, settings=slicer.app.userSettings()
    )
