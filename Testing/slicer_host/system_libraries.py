"""Says which Debian packages are missing for Qt and VTK without a display; prints nothing if none is."""

from __future__ import annotations

import ctypes
import sys

# VTK renders through EGL by Mesa's software driver; Qt's off-screen platform still loads the rest.
_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libEGL_mesa.so.0": "libegl-mesa0 libgl1-mesa-dri",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}


def missing() -> list[str]:
    """The packages whose library cannot be loaded."""
    return [packages for library, packages in _PACKAGES.items() if not _loads(library)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__" and sys.platform == "linux":
    sys.stdout.write(" ".join(missing()))
