# SPDX-License-Identifier: Apache-2.0
"""Which files of which data sets are understood: one table for training, evaluation and `hmr data`.

``ROOT`` holds one directory for each data set, named as here. Annotations lie in it or in its ``annotations``; where
several are there, the first of the table counts. docs/datasets.md tells where each comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.training.datasets.annotated import AnnotatedPeople, AnnotationReader
from hmr_ros.training.datasets.coco_fits import read_coco_fits
from hmr_ros.training.datasets.eft import read_eft
from hmr_ros.training.datasets.human36m import read_human36m, read_protocol1, read_protocol2, read_training
from hmr_ros.training.datasets.spin import read_spin
from hmr_ros.training.datasets.surreal import clips_beside, read_surreal
from hmr_ros.training.datasets.threedpw import read_3dpw
from hmr_ros.training.datasets.threedpw_pickles import read_3dpw_pickles


@dataclass(frozen=True)
class Layout:
    """The annotations of one ``split`` of a ``dataset``: ``file`` shows that they are there, ``read`` reads them."""

    dataset: str
    split: str
    file: str
    read: AnnotationReader

    def find(self, root: Path) -> Path | None:
        """The file below ``root``, None where it is not there."""
        for directory in (root / self.dataset, root / self.dataset / "annotations"):
            if (found := next(iter(sorted(directory.glob(self.file))), None)) is not None:
                return found
        return None


def _read_human36m_test(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Pose2Mesh's test frames, in the directory of ``path``."""
    return read_human36m(path.parent, body)


LAYOUTS = (
    Layout("human36m", "train", "Human36M_subject1_data.json", read_training),
    Layout("human36m", "train", "h36m_train*.npz", read_spin),
    Layout("human36m", "test", "Human36M_subject9_data.json", _read_human36m_test),
    Layout("human36m", "p1", "Human36M_subject9_data.json", read_protocol1),
    Layout("human36m", "p1", "h36m_valid_protocol1.npz", read_spin),
    Layout("human36m", "p2", "Human36M_subject9_data.json", read_protocol2),
    Layout("human36m", "p2", "h36m_valid_protocol2.npz", read_spin),
    Layout("coco", "train", "coco_smplify_train.json", read_coco_fits),
    Layout("coco", "train", "*NeuralAnnot*.json", read_coco_fits),
    Layout("coco", "train", "COCO2014-*-ver*.json", read_eft),
    Layout("coco", "train", "coco2014part_cliffGT.npz", read_spin),
    Layout("coco", "train", "coco_2014_*.npz", read_spin),
    Layout("mpi_inf_3dhp", "train", "mpi_inf_3dhp_train.npz", read_spin),
    Layout("mpi_inf_3dhp", "test", "mpi_inf_3dhp_valid.npz", read_spin),
    Layout("mpii", "train", "mpii_cliffGT.npz", read_spin),
    Layout("mpii", "train", "mpii_train.npz", read_spin),
    *(
        Layout("3dpw", split, file, read)
        for split in ("train", "validation", "test")
        for file, read in (
            (f"3DPW_latest_{split}.json", read_3dpw),
            (f"sequenceFiles/{split}/*.pkl", read_3dpw_pickles),
            (f"3dpw_{split}.npz", read_spin),
        )
    ),
    *(
        Layout("surreal", split, f"cmu/{directory}/run*/*/*_info.mat", read_surreal)
        for split, directory in (("train", "train"), ("validation", "val"), ("test", "test"))
    ),
)

DATASETS = tuple(dict.fromkeys(layout.dataset for layout in LAYOUTS))


def find_layout(root: Path, dataset: str, split: str) -> tuple[Layout, Path]:
    """The layout of ``split`` that is there, and its file. FileNotFoundError names every file that would do."""
    layouts = [layout for layout in LAYOUTS if (layout.dataset, layout.split) == (dataset, split)]
    for layout in layouts:
        if (path := layout.find(root)) is not None:
            return layout, path
    wanted = ", ".join(layout.file for layout in layouts)
    raise FileNotFoundError(
        f"{root / dataset}: no annotations for {split!r}; expected one of {wanted} there or in annotations/ "
        "(docs/datasets.md)"
    )


def read_split(root: Path, dataset: str, split: str, body: BodyModel) -> AnnotatedPeople:
    """The people of one split of a data set below ``root``."""
    layout, path = find_layout(root, dataset, split)
    return layout.read(path, body)


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that were read for ``path``: itself, or all recordings and subjects beside it."""
    if path.suffix == ".pkl":
        return tuple(sorted(path.parent.glob("*.pkl")))
    if path.name.endswith("_info.mat"):
        return tuple(clips_beside(path))
    if path.name.startswith("Human36M_subject"):
        return tuple(sorted(path.parent.glob("Human36M_subject*.json")))
    return (path,)
