"""`SampleData`: data sets are registered and listed; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import slicer


class SampleDataSource:
    """One data set that a user can download."""

    def __init__(self, **facts: Any) -> None:
        vars(self).update(facts)


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
        """Add a data set to a category of the Sample Data module."""
        source = SampleDataSource(**{name: value for name, value in locals().items() if name != "category"})
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)
