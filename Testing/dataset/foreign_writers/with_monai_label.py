"""Save labels in the datastore of MONAI Label, those of scan_a by a person: STORE LABELS.npy.

What it would download and compute with is not loaded, because that takes seconds and saves nothing.
"""

import sys
from pathlib import Path
from unittest.mock import MagicMock

import nibabel as nib
import numpy as np

sys.modules.update(
    dict.fromkeys(("torch", "monai.apps", "monai.bundle", "monai.bundle.scripts"), MagicMock())
)
from monailabel.datastore.local import LocalDatastore  # noqa: E402
from monailabel.interfaces.datastore import DefaultLabelTag  # noqa: E402

folder, labels = sys.argv[1:]
store = LocalDatastore(folder)
scan = nib.load(store.get_image_uri("scan_a"))
sent = str(Path(labels).with_name("sent.nii.gz"))
nib.save(nib.Nifti1Image(np.load(labels).T, scan.affine), sent)
# What its module in 3D Slicer sends along.
names = ("spleen", "liver", "left kidney")
said = {"label_info": [{"name": name, "idx": number} for number, name in enumerate(names, start=1)]}
store.save_label("scan_a", sent, DefaultLabelTag.FINAL.value, said)
for name in ("scan_a", "scan_b"):
    store.save_label(name, sent, DefaultLabelTag.ORIGINAL.value, {})
