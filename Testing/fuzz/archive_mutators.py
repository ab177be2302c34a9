"""Damage what lies inside of archives and weights: a member of a zip file, the header of safetensors."""

from __future__ import annotations

import io
import json
import struct
import zipfile

from Testing.fuzz.bytes_mutators import ANY, Draw, Mutator
from Testing.fuzz.json_mutators import JSON
from Testing.fuzz.text_mutators import WORDS

NAMES = (
    "../outside",
    "/absolute",
    "run/panel/process.json",
    "run/lock",
    "run",
    "run/",
    "C:\\x",
    "run/../../x",
)


def change_member(data: bytes, draw: Draw) -> bytes:
    """Damage the content of one file of a zip archive; its checksum is right again."""
    members = _members(data)
    if not members:
        return data
    at = int(draw.integers(len(members)))
    name, content = members[at]
    mutators = JSON if name.endswith(".json") and draw.random() < 0.7 else ANY
    members[at] = (name, mutators[int(draw.integers(len(mutators)))](content, draw))
    return _packed(members)


def rename_member(data: bytes, draw: Draw) -> bytes:
    """Give one file of a zip archive a name that is odd or leads elsewhere; or leave it out, or double it."""
    members = _members(data)
    if not members:
        return data
    at, how = int(draw.integers(len(members))), draw.random()
    odd = (*NAMES, *(f"run/{word}" for word in WORDS if len(word) < 30_000 and word.isprintable()))
    if how < 0.6:
        members[at] = (odd[int(draw.integers(len(odd)))], members[at][1])
    elif how < 0.8:
        del members[at]
    else:
        members.append(members[at])
    return _packed(members)


def change_header(data: bytes, draw: Draw) -> bytes:
    """Damage the JSON at the beginning of a safetensors file; its length is right again."""
    if len(data) < 8:
        return data
    length = struct.unpack("<Q", data[:8])[0]
    header = JSON[int(draw.integers(len(JSON)))](data[8 : 8 + length], draw)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def change_event(data: bytes, draw: Draw) -> bytes:
    """Damage one line of JSON among many."""
    lines = data.splitlines()
    if not lines:
        return data
    at = int(draw.integers(len(lines)))
    lines[at] = JSON[int(draw.integers(len(JSON)))](lines[at], draw)
    return b"\n".join(lines) + b"\n"


def _members(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(member.filename, archive.read(member)) for member in archive.infolist()]
    except Exception:  # a second mutation of the same file: what is broken stays broken
        return []


def _packed(members: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            archive.writestr(info, content)
    return stream.getvalue()


def sound_events() -> bytes:
    """A few lines as a job tells them."""
    told = [
        {"time": 1.0, "kind": "start", "job": "finetune"},
        {"time": 2.0, "kind": "progress", "step": 1, "steps": 2, "terms": {"dice": 0.5}},
        {"time": 3.0, "kind": "validation", "step": 2, "dice": {"liver": 0.4}},
        {"time": 4.0, "kind": "end", "text": "done"},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in told)


ZIP: tuple[Mutator, ...] = (change_member, change_member, rename_member)
TENSORS: tuple[Mutator, ...] = (change_header,)
LINES: tuple[Mutator, ...] = (change_event,)
