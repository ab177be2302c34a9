"""Fill a table of the panel, one tuple per row, and find the row that was chosen after sorting."""

import qt

from .panel_words import inPanel


def fill(table, columns, rows, keys) -> None:
    """Replace all rows.

    Args:
        rows: Tuples of texts and numbers; numbers are sorted as numbers.
        keys: One text per row, given back by `keyOfRow`.
    """
    begin(table, columns, len(rows))
    for number, (row, key) in enumerate(zip(rows, keys, strict=True)):
        setRow(table, number, row, key)
    finish(table, isLastWide=any(row[-1] for row in rows))


def begin(table, columns, count: int) -> None:
    """Headers and room for the rows, which `setRow` then writes."""
    # With sorting switched on, a row would move away while it is being filled.
    table.sortingEnabled = False
    if table.columnCount != len(columns):
        table.clearContents()
        table.setColumnCount(len(columns))
    table.setHorizontalHeaderLabels(list(columns))
    table.setRowCount(count)


def finish(table, *, isLastWide: bool) -> None:
    """All rows are written: sort them as the user wished, and give the columns their widths.

    Args:
        isLastWide: Whether there is text in the last column.
    """
    table.sortingEnabled = True
    table.resizeColumnsToContents()
    if table.columnCount and (table.wordWrap or not isLastWide):
        # A long line, or the header alone, asks for more than is left; stretched, the last column gets that.
        table.setColumnWidth(table.columnCount - 1, 1)


def finishWithin(table, *, isLastWide: bool) -> None:
    """As `finish`, but no wider than the table: the first column, and a last one with text, share the rest.

    What does not fit is cut with dots; the tooltip has all of it.
    """
    table.sortingEnabled = True
    header, last = table.horizontalHeader(), table.columnCount - 1
    header.setStretchLastSection(False)
    header.setSectionResizeMode(qt.QHeaderView.Interactive)
    for column in range(1, table.columnCount):
        table.resizeColumnToContents(column)
    # Set for single columns: only then they are narrowed as well when the table is.
    for column in (0, last) if isLastWide else (0,):
        header.setSectionResizeMode(column, qt.QHeaderView.Stretch)


def setRow(table, number, row, key, *, tip: str = "") -> None:
    """Write one row of an unsorted table.

    Args:
        tip: Tooltip of all cells; empty: each shows its own text.
    """
    for column, value in enumerate(row):
        item = qt.QTableWidgetItem()
        text = inPanel(value) if isinstance(value, str) else value  # None: an empty cell
        item.setData(qt.Qt.DisplayRole, text)
        item.setData(qt.Qt.UserRole, key)
        item.setToolTip(inPanel(tip) or str(text))
        table.setItem(number, column, item)


def isRow(table, number: int, row, key: str) -> bool:
    """Whether these stand in this place now: the user may have sorted the rows."""
    first, last = (table.item(number, column) for column in (0, len(row) - 1))
    if first is None or last is None or keyOfRow(table, number) != key:
        return False
    return (first.text(), last.text()) == (row[0], row[-1])


def keyOfRow(table, row: int) -> str:
    """The key of a row as it stands now; "" outside the table."""
    item = table.item(row, 0) if 0 <= row < table.rowCount else None
    return str(item.data(qt.Qt.UserRole)) if item is not None else ""


def currentKey(table) -> str:
    """The key of the current row; "" without one."""
    return keyOfRow(table, table.currentRow())


def style(table, *, wraps: bool = False) -> None:
    """The looks that all tables here share.

    Args:
        wraps: Whether rows grow until all their text is seen.
    """
    table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
    table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
    table.alternatingRowColors = True
    table.wordWrap = wraps
    table.verticalHeader().hide()
    if wraps:
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
