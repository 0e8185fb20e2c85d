# SPDX-License-Identifier: Apache-2.0
"""Which data sets a run trains on, and how often each is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.settings import setting


@dataclass(frozen=True)
class DataConfig:
    """Weights of the papers' data sets (docs/datasets.md). All 0: people of the motion file alone."""

    root: str = setting("", doc="directory of the data sets (docs/datasets.md)")
    body_female: str = setting("", doc="the female SMPL model .npz, for people that are annotated with it (3DPW)")
    body_male: str = setting("", doc="the male SMPL model .npz")
    motion: float = setting(0.0, doc="weight of synthetic people of run.motion, where a data set has one", low=0)
    human36m: float = setting(0.0, doc="weight of Human3.6M: how often its people are drawn, beside the others'", low=0)
    coco: float = setting(0.0, doc="weight of COCO", low=0)
    mpi_inf_3dhp: float = setting(0.0, doc="weight of MPI-INF-3DHP", low=0)
    mpii: float = setting(0.0, doc="weight of MPII", low=0)
    threedpw: float = setting(0.0, doc="weight of 3DPW", low=0)
    surreal: float = setting(0.0, doc="weight of SURREAL", low=0)

    @property
    def weights(self) -> dict[str, float]:
        """The data sets with a weight, by the names of training/datasets/layouts.py."""
        names = {"human36m": self.human36m, "coco": self.coco, "mpi_inf_3dhp": self.mpi_inf_3dhp, "mpii": self.mpii}
        names |= {"3dpw": self.threedpw, "surreal": self.surreal}
        return {name: weight for name, weight in names.items() if weight > 0}
