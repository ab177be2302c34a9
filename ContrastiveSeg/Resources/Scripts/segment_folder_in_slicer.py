"""Segment every case of a folder with a run, inside Slicer without its window, and list the volumes in ml.

Slicer --no-main-window --python-script segment_folder_in_slicer.py RUN IMAGES OUTPUT

OUTPUT receives CASE.seg.nrrd, CASE_uncertainty.nrrd and volumes_ml.csv. What is there already stays.
"""

import csv
import sys
import time
import traceback
from pathlib import Path

import slicer


def findLibrary() -> None:
    """Make ContrastiveSegLib importable, wherever this script lies in the extension."""
    roots = [folder for folder in Path(__file__).resolve().parents if (folder / "ContrastiveSegLib").is_dir()]
    if roots and str(roots[0]) not in sys.path:
        sys.path.append(str(roots[0]))


def predictFolder(logic, run: Path, images: Path, output: Path) -> None:
    """One job for all cases, so that the network is loaded once; what it says goes to the console."""
    from ContrastiveSegLib.runs.run_folder import RunFolder
    from ContrastiveSegLib.slicer_bridge import process

    settings = {"run": str(run), "images": str(images), "output": str(output)}
    folder = RunFolder(run)
    job = process.start("predict", settings, logic.engine(), run=folder, folder=folder.panel)
    while job.is_running():
        time.sleep(0.2)
        for event in job.new_events():
            if event.get("text") or event.get("case"):
                print(event.get("text") or f"{event['case']} is segmented", flush=True)
    job.close()
    # 3: done, but most cases were lost, which was said on the way.
    if job.process is None or job.process.returncode not in (0, 3):
        raise RuntimeError(job.tail().strip().rpartition("\n")[2])


def listVolumes(images: Path, output: Path) -> Path:
    """Load each result as the panel does, and write the volume of each structure."""
    from ContrastiveSegLib.dataset.cases import find_cases
    from ContrastiveSegLib.file_io.files import read_image
    from ContrastiveSegLib.runs.case_files import case_file
    from ContrastiveSegLib.slicer_bridge import nodes, predictions

    table = output / "volumes_ml.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case", "structure", "volume_ml"])
        for case in find_cases(images).cases:
            file = case_file(output, case.name)
            if not file.is_file():
                continue
            image = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels).volume
            volume = nodes.add_volume(image, case.name)[0]
            segmentation = predictions.show_prediction(file, volume, case.name, in_3d=False)
            for structure, amount in predictions.volumes_ml(segmentation, volume).items():
                rows.writerow([case.name, structure, f"{amount:.3f}"])
            slicer.mrmlScene.Clear()
    return table


def main(words) -> int:
    """0, or 1 with a sentence on the console."""
    if len(words) != 3:
        print(__doc__)
        return 2
    run, images, output = (Path(word).absolute() for word in words)
    findLibrary()
    try:
        from ContrastiveSeg import ContrastiveSegLogic

        predictFolder(ContrastiveSegLogic(), run, images, output)
        print(f"Volumes: {listVolumes(images, output)}")
    except Exception as error:
        # Slicer would go on without its window, and never end.
        traceback.print_exc()
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    slicer.util.exit(main(sys.argv[1:]))
