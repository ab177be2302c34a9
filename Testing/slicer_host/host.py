"""Builds the Slicer for tests: one application, one scene, and the modules `slicer`, `qt` and `ctk`."""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from .noise import quiet_vtk
from .qt_module import make_qt_module, qt_application


class Host:
    """The running application, and what a test may want to see of it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="slicer_host_")
        self.qt_application = qt_application()
        sys.modules["qt"] = make_qt_module()
        import slicer

        self.slicer = slicer
        self.errors: list[BaseException] = []
        with quiet_vtk():
            self._start()
        self._nodes_of_an_empty_scene = {node.GetID() for node in self._nodes()}
        # What exists now stays: the collector need not look at it after each test.
        gc.collect()
        gc.freeze()

    def _start(self) -> None:
        from trame_slicer.core import SlicerApp

        core = SlicerApp()
        self.core = core
        self.slicer.mrmlScene = core.scene
        self._offer_modules()
        self._start_application(core)
        self._offer_classes()

    def _offer_modules(self) -> None:
        from . import i18n, packaging, sample_data
        from .modules import ModuleNames
        from .submodules import SubmodulesToImport

        slicer = self.slicer
        slicer.modules = ModuleNames()
        slicer.modules.sampleDataSources = {}
        slicer.selfTests = {}
        slicer.moduleNames = SimpleNamespace()
        self._install("slicer.i18n", i18n)
        self._submodules = SubmodulesToImport({"slicer.packaging": packaging})
        sys.modules["SampleData"] = sample_data

    def _install(self, name: str, module: ModuleType) -> None:
        sys.modules[name] = module
        setattr(self.slicer, name.removeprefix("slicer."), module)

    def _start_application(self, core: Any) -> None:
        from . import subject_hierarchy
        from .application import qSlicerApplication
        from .file_readers import CoreIOManager
        from .layout_manager import qSlicerLayoutManager
        from .main_window import qSlicerMainWindow
        from .modules import qSlicerModuleManager

        subject_hierarchy.follow_scene(core.scene)
        logics = self._logics(core)
        app = qSlicerApplication(Path(self._folder.name), core.scene, core.app_logic)
        self.slicer.app = self.app = app
        app._parts.io_manager = CoreIOManager(core.scene, logics)
        app._parts.module_manager = qSlicerModuleManager()
        app._parts.layout_manager = qSlicerLayoutManager(core.scene, core.app_logic)
        self.main_window = qSlicerMainWindow(app.layoutManager().viewport())
        self._add_own_modules(logics)

    def _logics(self, core: Any) -> SimpleNamespace:
        slicer = self.slicer
        made = {
            name: core.register_module_logic(getattr(slicer, class_name)())
            for name, class_name in (
                ("plots", "vtkSlicerPlotsLogic"),
                ("tables", "vtkSlicerTablesLogic"),
                ("texts", "vtkSlicerTextsLogic"),
                ("models", "vtkSlicerModelsLogic"),
            )
        }
        return SimpleNamespace(
            **made,
            volumes=core.volumes_logic,
            segmentations=core.segmentations_logic,
            terminologies=core.terminologies_logic,
            subjecthierarchy=core.subject_hierarchy_logic,
            data=core.data_logic,
            colors=core.color_logic,
        )

    def _add_own_modules(self, logics: SimpleNamespace) -> None:
        from .modules import qSlicerLoadableModule, qSlicerScriptedLoadableModuleWidget
        from .segment_editor import SegmentEditorWidget

        names = {"subjecthierarchy": "SubjectHierarchy"}
        manager = self.app.moduleManager()
        for name, logic in vars(logics).items():
            manager._add(qSlicerLoadableModule(names.get(name, name.capitalize()), logic))
        editor = qSlicerScriptedLoadableModuleWidget(None, SegmentEditorWidget)
        editor.reload()
        manager._add(qSlicerLoadableModule("SegmentEditor", None, editor))
        manager._add(qSlicerLoadableModule("SampleData"))

    def _offer_classes(self) -> None:
        from . import parameter_node, scripted_module, ui_files
        from .offered import ctk_module, slicer_widgets

        sys.modules["ctk"] = ctk_module()
        for name, widget in slicer_widgets().items():
            setattr(self.slicer, name, widget)
        ui_files.offer({**vars(sys.modules["ctk"]), **slicer_widgets()})
        self._install("slicer.ScriptedLoadableModule", scripted_module)
        self._install("slicer.parameterNodeWrapper", parameter_node)

    def _nodes(self) -> list[Any]:
        scene = self.core.scene
        return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]

    def load_module(self, path: Path | str) -> Any:
        """Load a scripted module as Slicer does when it starts; its panel is made when first asked for."""
        from .modules import qSlicerScriptedLoadableModule

        module = qSlicerScriptedLoadableModule(Path(path).resolve())
        module.load()
        self.app.moduleManager()._add(module)
        return module

    def quit(self) -> None:
        """What Slicer does with its modules at the end: exit() of the open one, then cleanup() of all."""
        from .modules import qSlicerScriptedLoadableModule

        self.app.aboutToQuit.emit()
        self.app.disconnect("startupCompleted()")
        manager = self.app.moduleManager()
        self.main_window.moduleSelector()._leave()
        self.main_window._show_panel(None)
        for module in [m for m in manager._modules.values() if isinstance(m, qSlicerScriptedLoadableModule)]:
            manager._remove(module.name)
            sys.modules.pop(module.name, None)
        self.app.processEvents()

    def restart(self) -> None:
        """Quit and start again: no modules, empty scene, first layout; the settings stay, as texts."""
        from .settings import QSettings

        self.quit()
        self.core.scene.Clear(0)
        for node in self._nodes():
            if node.GetID() not in self._nodes_of_an_empty_scene and not _is_view(node):
                self.core.scene.RemoveNode(node)
        self.app.layoutManager().setLayout(self.slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.slicer.modules.sampleDataSources.clear()
        self._submodules.forget(self.slicer)
        QSettings.forget_types()

    def reset(self) -> None:
        """As installed just now: restarted, no settings, nothing shown, answered or asked to be installed."""
        from .dialogs import DIALOGS
        from .packaging import INSTALLATIONS

        self.restart()
        self.app._testing = False
        self.app.settings().clear()
        DIALOGS.clear()
        INSTALLATIONS.clear()
        self.errors.clear()
        gc.collect()


def _is_view(node: Any) -> bool:
    """Views of layouts, and what they show, stay when a scene is cleared, in Slicer too."""
    is_view = node.IsA("vtkMRMLAbstractViewNode") or node.IsA("vtkMRMLSliceCompositeNode")
    return bool(is_view and node.GetSingletonTag())


_HOST: list[Host] = []


def start() -> Host:
    """The host of this process; there can be one only, as there is one Qt application."""
    if not _HOST:
        _HOST.append(Host())
    return _HOST[0]
