"""The other side of `reader`: a process that reads files for another one, and may die of them."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import traceback
from typing import Any, BinaryIO

import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.file_io import reader
from ContrastiveSegLib.file_io.pipe_messages import pack_message
from ContrastiveSegLib.file_io.process_memory import limit_own_growth
from ContrastiveSegLib.file_io.read_limits import allowance_for
from ContrastiveSegLib.file_io.serialization import member, pack, unpack


def main() -> None:
    """Answer one question after the other until the other side is gone."""
    requests, answers = _pipes()
    # Ctrl-C reaches all processes of a terminal; whoever asked decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader.mark_as_reader_process()
    member("ContrastiveSegLib.file_io.files:read_image")  # loads what takes time
    _send(answers, {"ready": True}, [])
    while (request := _received(requests)) is not None:
        arrays: list[npt.NDArray[Any]] = []
        answer = _answer(request, arrays)
        _send(answers, answer, arrays)


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Where requests come from and answers go; what libraries print must not fall among them."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return os.fdopen(os.dup(0), "rb"), answers


def _received(requests: BinaryIO) -> dict[str, Any] | None:
    head = requests.read(8)
    if len(head) < 8:
        return None
    request: dict[str, Any] = json.loads(requests.read(struct.unpack("<Q", head)[0]))
    return request


def _answer(request: dict[str, Any], arrays: list[npt.NDArray[Any]]) -> dict[str, Any]:
    try:
        os.chdir(request["folder"])
        arguments, options = unpack(request["arguments"], ()), unpack(request["options"], ())
        limit_own_growth(allowance_for((arguments, options)).memory)
        return {"value": pack(member(request["function"])(*arguments, **options), arrays)}
    except ContrastiveSegError as error:
        return {"error": type(error).__name__, "what": error.what, "remedy": error.remedy}
    except MemoryError:
        return {"memory": True}
    except Exception as error:
        arrays.clear()
        said = f"{type(error).__name__}: {error}"
        return {"unexpected": said, "traceback": traceback.format_exc()}


def _send(answers: BinaryIO, answer: dict[str, Any], arrays: list[npt.NDArray[Any]]) -> None:
    answer["arrays"] = [[array.dtype.str, array.shape] for array in arrays]
    answers.write(pack_message(answer))
    for array in arrays:
        answers.write(array.data)
    answers.flush()


if __name__ == "__main__":
    main()
    sys.exit(0)
