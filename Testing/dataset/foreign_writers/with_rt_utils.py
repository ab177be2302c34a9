"""Draw contours around masks with rt-utils: SERIES MASKS.npz FILE."""

import sys

import numpy as np
from rt_utils import RTStructBuilder

series, masks, file = sys.argv[1:]
made = RTStructBuilder.create_new(dicom_series_path=series)
for (name, mask), color in zip(np.load(masks).items(), ([221, 130, 101], [0, 0, 255]), strict=True):
    made.add_roi(mask=np.moveaxis(mask, 0, -1), color=color, name=name)
made.save(file)
