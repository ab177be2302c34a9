"""`SampleData`: data sets are registered and listed; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import slicer

_PER_FILE = ("uris", "fileNames", "nodeNames", "loadFiles", "loadFileType", "checksums")


class SampleDataSource:
    """One data set that a user can download; what is said per file must be said for each file."""

    def __init__(self, **facts: Any) -> None:
        uris = facts["uris"]
        for name in _PER_FILE:
            if isinstance(uris, str):
                facts[name] = [facts[name]]
            elif isinstance(uris, (list, tuple)) and (facts[name] is None or name == "loadFileType"):
                facts[name] = facts[name] if isinstance(facts[name], list) else [facts[name]] * len(uris)
        lengths = {name: len(facts[name]) for name in _PER_FILE}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"All fields of sample data source must have the same length\n{lengths}")
        vars(self).update(facts)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(vars(self))


class SampleDataLogic:
    """The registry of data sets."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileType: str = "VolumeFile",
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
    ) -> None:
        """Add a data set to a category of the Sample Data module, unless it is there."""
        facts = {name: value for name, value in locals().items() if name != "category"}
        registered = slicer.modules.sampleDataSources.setdefault(category, [])
        source = SampleDataSource(**facts)
        if source not in registered:
            registered.append(source)
