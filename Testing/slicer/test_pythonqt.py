"""Qt as PythonQt shows it: properties are attributes, signals have two spellings, mistakes are errors."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import qt
import shiboken6
import slicer


@pytest.fixture
def a_button(a_slicer):
    """A button."""
    return qt.QPushButton("Go")


def test_properties_are_attributes_and_not_called(a_button):
    a_button.text, a_button.enabled, a_button.toolTip = "Stop", False, "why"

    assert (a_button.text, a_button.enabled, a_button.toolTip) == ("Stop", False, "why")
    assert not a_button.isEnabled()
    with pytest.raises(TypeError, match="'str' object is not callable"):
        a_button.text()


def test_any_object_has_a_text(a_button):
    a_button.text = None
    assert a_button.text == "None"


@pytest.mark.parametrize("name", ["txt", "setText", "click"])
def test_what_is_no_property_cannot_be_assigned(a_button, name):
    with pytest.raises(AttributeError, match=f"'QPushButton' object has no property '{name}'"):
        setattr(a_button, name, "x")


@pytest.mark.parametrize("name", ["width", "sizeHint"])
def test_what_is_not_writable_is_refused(a_button, name):
    with pytest.raises(AttributeError, match="is not writable"):
        setattr(a_button, name, 3)


def test_numbers_are_cut_and_texts_are_no_numbers():
    spin = qt.QSpinBox()

    spin.value = np.float32(3.9)
    assert spin.value == 3
    with pytest.raises(AttributeError, match="Property 'value' of type 'int' does not accept"):
        spin.value = "4"


def test_derived_python_classes_may_have_attributes_of_their_own():
    class Own(qt.QWidget):
        pass

    own = Own()
    own.anything = 3

    assert own.anything == 3


def test_deleted_widget_says_so():
    spin = qt.QDoubleSpinBox()
    shiboken6.delete(spin)

    with pytest.raises(ValueError, match="Trying to read property 'value' from a destroyed QDoubleSpinBox"):
        _ = spin.value


def test_signals_in_both_spellings(a_button):
    got = []
    a_button.checkable = True
    assert a_button.connect("clicked(bool)", lambda *a: got.append(("bool", a)))
    assert a_button.connect("clicked()", lambda *a: got.append(("none", a)))
    a_button.clicked.connect(lambda checked=None: got.append(("attribute", checked)))

    a_button.click()

    assert got == [("bool", (True,)), ("none", ()), ("attribute", True)]


def test_disconnected_slot_is_not_called(a_button):
    got = []

    def slot(checked):
        got.append(checked)

    a_button.connect("clicked(bool)", slot)
    a_button.disconnect("clicked(bool)", slot)
    a_button.click()

    assert got == []


def test_wrong_signal_is_only_printed(a_button, capsys):
    assert a_button.connect("klicked()", print) is False
    assert "QPushButton has no signal 'klicked()'" in capsys.readouterr().out


def test_combo_box_keeps_data_and_ignores_unknown_texts():
    combo = qt.QComboBox()
    combo.addItem("one", {"a": 1})
    combo.addItem("two", 2)

    combo.currentText = "zz"
    assert (combo.count, combo.currentText, combo.currentData) == (2, "one", {"a": 1})
    combo.setCurrentIndex(1)
    assert (combo.itemText(0), combo.itemData(1), combo.findText("two")) == ("one", 2, 1)


def test_table_sorts_numbers_as_numbers():
    table = qt.QTableWidget(2, 1)
    for row, value in enumerate((10.2, 9.5)):
        item = qt.QTableWidgetItem()
        item.setData(qt.Qt.DisplayRole, value)
        table.setItem(row, 0, item)

    table.sortItems(0)

    assert [table.item(row, 0).data(qt.Qt.DisplayRole) for row in range(table.rowCount)] == [9.5, 10.2]
    assert table.item(0, 5) is None


def test_timer_counts_and_single_shots_fire(a_slicer):
    ticks = []
    timer = qt.QTimer()
    timer.interval = 5
    timer.connect("timeout()", lambda: ticks.append("tick"))
    timer.start()
    qt.QTimer.singleShot(1, lambda: ticks.append("shot"))

    a_slicer.wait_until(lambda: ticks.count("tick") >= 2 and "shot" in ticks)

    assert timer.active
    timer.stop()
    assert not timer.isActive()


def test_event_loop_runs_until_it_is_ended():
    loop = qt.QEventLoop()
    qt.QTimer.singleShot(5, loop.quit)
    assert loop.exec_() == 0


def test_process_gives_its_output(a_slicer):
    process, out = qt.QProcess(), []
    process.setProcessChannelMode(qt.QProcess.MergedChannels)
    process.connect("readyRead()", lambda: out.append(process.readAll().data()))
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, _status: out.append(code))

    process.start("/bin/sh", ["-c", "echo hello; exit 3"])
    a_slicer.wait_until(lambda: 3 in out)

    assert b"".join(part for part in out if part != 3) == b"hello\n"


def test_console_process_does_not_block(a_slicer):
    lines, codes = [], []

    slicer.util.launchConsoleProcess(
        ["/bin/sh", "-c", "echo one; echo two >&2; exit 4"],
        blocking=False,
        logCallback=lines.append,
        completedCallback=codes.append,
    )
    assert codes == []
    a_slicer.wait_until(lambda: codes)

    assert (lines, codes) == (["one", "two"], [4])


def test_settings_are_texts_after_a_restart(a_slicer):
    settings = slicer.app.settings()
    settings.setValue("flag", True)
    settings.setValue("count", 3)
    settings.setValue("list", [])
    assert (settings.value("flag"), settings.value("count")) == (True, 3)

    a_slicer.restart()

    assert (settings.value("flag"), settings.value("count"), settings.value("list")) == ("true", "3", None)
    assert slicer.util.settingsValue("flag", False, converter=slicer.util.toBool, settings=settings) is True
    assert settings.value("other", 5) == 5


def test_path_object_is_no_file_name():
    with pytest.raises(ValueError, match="matching overload"):
        slicer.util.loadUI(pathlib.Path("panel.ui"))


def test_unknown_widget_in_a_ui_file_is_named(tmp_path):
    (tmp_path / "p.ui").write_text('<ui version="4.0"><widget class="ctkUnheardOf" name="x"/></ui>')

    with pytest.raises(NotImplementedError, match="has no ctkUnheardOf: add a stand-in"):
        slicer.util.loadUI(str(tmp_path / "p.ui"))


def test_connection_to_a_slot_that_is_not_there_is_named(tmp_path):
    (tmp_path / "p.ui").write_text(
        '<ui version="4.0"><widget class="QWidget" name="top"><widget class="QPushButton" name="b"/></widget>'
        "<connections><connection><sender>b</sender><signal>clicked()</signal><receiver>top</receiver>"
        "<slot>fly()</slot></connection></connections></ui>"
    )

    with pytest.raises(RuntimeError, match=r"Could not connect b\.clicked\(\) with top\.fly\(\)"):
        slicer.util.loadUI(str(tmp_path / "p.ui"))
