"""Names of nodes as names of files."""

import re

# What Windows refuses, and what glob patterns of the jobs would take for wildcards.
_REFUSED = re.compile(r"[^\w.\-]+")


def safeName(text: str) -> str:
    """A file name from any text: letters, digits, dot, dash and underscore."""
    return _REFUSED.sub("_", text).strip("._") or "volume"
