"""The lists of what the host offers: to add a stand-in, write the class and name its file here."""

from __future__ import annotations

from types import ModuleType

from . import (
    application,
    ctk_choices,
    ctk_sliders,
    ctk_widgets,
    layout_manager,
    main_window,
    modules,
    mrml_widgets,
    plot_widgets,
    segment_editor,
    segment_widgets,
    table_widgets,
    view_widgets,
)

_CTK = (ctk_widgets, ctk_choices, ctk_sliders)
_SLICER = (
    application, layout_manager, main_window, modules, mrml_widgets, plot_widgets, segment_editor,
    segment_widgets, table_widgets, view_widgets,
)  # fmt: skip


def _stand_ins(files: tuple[ModuleType, ...]) -> dict[str, type]:
    found = [thing for file in files for thing in vars(file).values() if isinstance(thing, type)]
    return {thing.__name__: thing for thing in found if vars(thing).get("_is_stand_in")}


def ctk_module() -> ModuleType:
    """The module `ctk`."""
    module = ModuleType("ctk", "Stand-ins for CTK's widgets.")
    vars(module).update({name: cls for name, cls in _stand_ins(_CTK).items() if name.startswith("ctk")})
    return module


def slicer_widgets() -> dict[str, type]:
    """The classes of Qt that Slicer puts beside those of MRML."""
    return {name: cls for name, cls in _stand_ins(_SLICER).items() if name.startswith(("qMRML", "qSlicer"))}
