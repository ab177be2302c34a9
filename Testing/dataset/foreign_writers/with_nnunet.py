"""Write a data set of regions with nnU-Net, and how nnU-Net reads it: DATASET LABELS.npy UNDERSTOOD.npz."""

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nnunetv2.dataset_conversion.generate_dataset_json import generate_dataset_json
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.utilities.label_handling.label_handling import LabelManager

folder, drawn, understood = sys.argv[1:]
labels = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
generate_dataset_json(
    folder, {0: "T2", 1: "ADC"}, labels, 1, ".nrrd", regions_class_order=(1, 2), dataset_name="Tumor"
)
files = [f"{folder}/imagesTr/one_000{channel}.nrrd" for channel in (0, 1)]
sitk.WriteImage(sitk.ReadImage(files[0]) * 2 + 1, files[1])
reader = SimpleITKIO()
images, properties = reader.read_images(files)
label_file = f"{folder}/labelsTr/one.nrrd"
Path(label_file).parent.mkdir()
reader.write_seg(np.load(drawn), label_file, properties)

said = json.loads(Path(folder, "dataset.json").read_text("utf-8"))
manager = LabelManager(said["labels"], said["regions_class_order"])
values = reader.read_seg(label_file)[0][0]
whole, core = (np.isin(values, region) for region in manager.foreground_regions)
ignore = values == manager.ignore_label
np.savez(understood, images=images, spacing=properties["spacing"], whole=whole, core=core, ignore=ignore)
