"""Write labels of the only scan as a derivative with ancpbids: DATASET LABELS.npy."""

import json
import sys
from pathlib import Path

import ancpbids
import nibabel as nib
import numpy as np

TABLE = (
    "index\tname\tcolor\n0\tBackground\t#000000\n1\tGray Matter\t#ff0000\n2\tWhite Matter\t#00ff00\n"
    "3\tFluid\t#0000ff\n"
)
DESCRIPTION = {"Name": "labels", "BIDSVersion": "1.10.0", "DatasetType": "derivative"}

root, labels = sys.argv[1:]
data = ancpbids.load_dataset(root)
model = data.get_schema()
(scan,) = data.query(suffix="T1w", extension=".nii.gz")
made = data.create_derivative(name="manual")
folder = made.create_folder(type_=model.Subject, name="sub-01")
folder = folder.create_folder(type_=model.DatatypeFolder, name="anat")


def write_labels(file: str) -> None:
    affine = nib.load(scan.get_absolute_path()).affine
    nib.save(nib.Nifti1Image(np.load(labels).T, affine), file)


def write_description(file: str) -> None:
    Path(file).write_text(json.dumps({**DESCRIPTION, "GeneratedBy": [{"Name": "manual"}]}), "utf-8")


for extension, content in ((".nii.gz", write_labels), (".tsv", lambda file: Path(file).write_text(TABLE))):
    added = folder.create_artifact(raw=scan)
    added.add_entity("desc", "manual")
    added.suffix, added.extension, added.content = "dseg", extension, content
made.dataset_description.content = write_description
ancpbids.write_derivative(data, made)
