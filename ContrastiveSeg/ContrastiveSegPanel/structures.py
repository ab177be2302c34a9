"""The structures of the task: names typed in the panel, with colors and terminology where they are known."""

import json

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.imaging.colors import colors_for
from ContrastiveSegLib.imaging.labels import LabelTable, Structure, same_name


def wanted(panel) -> LabelTable:
    """The segments an annotation needs; without typed names those that the run or the data already have."""
    names = [name.strip() for name in panel.parameters.structures.split(",") if name.strip()]
    table = known(panel)
    if not names:
        return table
    found = {name: next((s for s in table.structures if same_name(s.name, name)), None) for name in names}
    new = [name for name, same in found.items() if same is None]
    taken = [same.color for same in found.values() if same is not None]
    colors = dict(zip(new, colors_for([(name, "") for name in new], taken), strict=True))
    return LabelTable(
        tuple(
            Structure(value, name, same.color if same else colors[name], same.terminology if same else "")
            for value, (name, same) in enumerate(found.items(), start=1)
        )
    )


def known(panel) -> LabelTable:
    """What the run was fine-tuned on, else what dataset.json says, else what the first label file holds."""
    run, reader = panel.run, panel.data.reader
    if run is not None and run.labels.is_file():
        try:
            return LabelTable.from_json(json.loads(run.labels.read_text(encoding="utf-8")))
        except (ContrastiveSegError, OSError, ValueError, RecursionError):
            pass  # half written by a job at this moment: the data say the same
    return reader.table or LabelTable(())
