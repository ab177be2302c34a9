"""Save labels as TotalSegmentator saves what it found: IMAGE LABELS.npy NAMES.json TASK, beside the image.

Its writer is taken out of its file, because the file loads the networks that it would predict with.
"""

import ast
import importlib.util
import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from totalsegmentator.map_to_binary import class_map

NAME = "save_segmentation_nifti"

image, labels, names, task = sys.argv[1:]
source = Path(importlib.util.find_spec("totalsegmentator").origin).with_name("nnunet.py")
parts = ast.parse(source.read_text("utf-8")).body
(writer,) = (part for part in parts if getattr(part, "name", "") == NAME)
known = {"nib": nib, "np": np}
exec(compile(ast.Module([writer], []), source, "exec"), known)

scan = nib.load(image)
made, folder = Path(names).parent, Path(image).with_name("segmentations")
folder.mkdir()
nib.save(nib.Nifti1Image(np.load(labels).T, scan.affine), made / "s01.nii.gz")
for item in class_map[task].items():
    known[NAME](item, made, folder, "None", scan.header, task, True)
Path(names).write_text(json.dumps(class_map[task]), "utf-8")
