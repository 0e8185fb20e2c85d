# SPDX-License-Identifier: Apache-2.0
"""The readers of annotations, by the name of their format."""

from __future__ import annotations

from hmr_ros.training.datasets.annotated import AnnotationReader
from hmr_ros.training.datasets.coco_fits import read_coco_fits
from hmr_ros.training.datasets.eft import read_eft
from hmr_ros.training.datasets.human36m import read_human36m
from hmr_ros.training.datasets.spin import read_spin
from hmr_ros.training.datasets.threedpw import read_3dpw
from hmr_ros.training.datasets.threedpw_pickles import read_3dpw_pickles

READERS: dict[str, AnnotationReader] = {
    "3dpw": read_3dpw,
    "3dpw-pickles": read_3dpw_pickles,
    "human36m": read_human36m,
    "spin": read_spin,
    "coco-fits": read_coco_fits,
    "eft": read_eft,
}
