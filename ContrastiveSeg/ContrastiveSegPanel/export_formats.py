"""The forms of export, and which program reads each."""

from dataclasses import dataclass

from slicer.i18n import tr as _

ZIP = "zip"


@dataclass(frozen=True)
class Format:
    """One item of the menu.

    Args:
        name: As the job calls it.
        tip: Who reads it.
    """

    name: str
    caption: str
    tip: str


def formats() -> tuple:
    """In the order of the menu."""
    return (
        Format(ZIP, _("Zip file"), _("All of the run, for 'Import run' on another computer")),
        Format("nnunet-raw", _("Data for nnU-Net"), _("The annotated cases, as nnU-Net 2 reads them")),
        Format("dicom-seg", _("DICOM SEG"), _("The predictions of DICOM series, for archives and viewers")),
        Format("nnssl", _("Weights for nnU-Net"), _("The pre-trained ResEnc-L, as nnU-Net starts from it")),
        Format("monai-bundle", _("MONAI bundle"), _("The fine-tuned network, as MONAI's programs run it")),
    )
