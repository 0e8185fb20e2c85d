# SPDX-License-Identifier: Apache-2.0
"""A body of fewer vertices, so that networks of an ablation can be trained far on a small machine.

778 vertices are as many as MANO's hand has, for which Pose2Mesh's authors publish a network of five graphs
(``paper.levels = 5``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.random import default_rng
from scipy.sparse import csr_array

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.body.decimation import coarse_faces
from hmr_ros.core.manifest import atomic_path
from hmr_ros.networks.upsampling import fit_upsampling

_BODIES = 200
"""Random bodies that the regressors are fitted to."""

_DEVIATION = 0.3
"""Of the rotation vectors of their joints, rad."""


def write_smaller_body(body: BodyModel, vertices: int, path: Path) -> BodyModel:
    """``body`` with about ``vertices`` of its vertices, written to ``path`` (.npz) where it is not yet, and read.

    Skinning and blend shapes are those of the vertices that stay; joints and keypoints are regressed through the
    linear map that rebuilds the others from them, good to a few mm. ValueError where the surface cannot be so coarse.
    """
    if not path.exists():
        faces = coarse_faces(body.v_template, body.faces, max(4, 2 * vertices - 4))
        kept = np.unique(faces)
        if len(kept) > 1.1 * vertices:
            raise ValueError(f"--vertices: this body keeps {len(kept)} vertices at least, got {vertices}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **_arrays(body, kept, faces))  # type: ignore[arg-type]  # as in testing.py
    return load_body_model(path)


def _arrays(body: BodyModel, kept: Int64s, faces: Int64s) -> dict[str, Floats | Int64s]:
    """A file in SMPL's schema of the vertices ``kept`` (S,), joined by ``faces`` (F, 3) of all of them."""
    rebuilt = fit_upsampling(_random_bodies(body), body.faces, kept)
    return {
        "v_template": body.v_template[kept],
        "f": np.searchsorted(kept, faces),
        "shapedirs": body.shapedirs[kept],
        "posedirs": body.posedirs[kept],
        "weights": body.weights[kept],
        "kintree_table": np.stack([body.tree.parents, np.arange(body.tree.size)]),
        "J_regressor": _through(rebuilt, body.J_regressor),
        "J_regressor_h36m17": _through(rebuilt, body.regressor("human36m")),
        "J_regressor_coco17": _through(rebuilt, body.regressor("coco17")),
    }


def _through(rebuilt: csr_array, regressor: Floats) -> Floats:
    """The rows (J, V) of ``regressor`` on the vertices (S) that ``rebuilt`` (V, S) reads."""
    return np.asarray((rebuilt.T @ regressor.T).T, np.float32)


def _random_bodies(body: BodyModel) -> Floats:
    """(S, V, 3) m in random poses and shapes, the first one at rest."""
    rng = default_rng(0)
    pose = rng.normal(0, _DEVIATION, (_BODIES, body.tree.size - 1, 3))
    betas = rng.normal(0, 1, (_BODIES, body.shapedirs.shape[-1]))
    pose[0], betas[0] = 0, 0
    still = np.zeros((_BODIES, 3))
    return body.posed(still, pose, betas, still).vertices
