# SPDX-License-Identifier: Apache-2.0
"""What is asked of a run over one input: the command line of `hmr run` as values that go from process to process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.settings import Value, updated
from hmr_ros.media.sources import EVERYTHING, Excerpt
from hmr_ros.recording.calibration import cameras_of
from hmr_ros.recording.given import NOTHING_GIVEN, GivenDetections, read_given
from hmr_ros.recording.meshes import require_trimesh
from hmr_ros.ros.bag.options import config_of

DEFAULT_SAVED = ("overlay", "json", "npz")
"""What is written unless another choice is made; of a recording, mcap as well."""


@dataclass(frozen=True)
class OfRecording:
    """What is asked of a recording alone: topics to read, whether its messages go into the result, the node's
    parameters as NAME:=VALUE.
    """

    images: tuple[str, ...] = ()
    depth: str = ""
    merges: bool = False
    parameters: tuple[str, ...] = ()

    def given(self) -> list[str]:
        """The arguments that were given."""
        values = {"image": self.images, "depth": self.depth, "merge": self.merges, "param": self.parameters}
        return [f"--{name}" for name, value in values.items() if value]


@dataclass(frozen=True)
class Request:
    """One ``source``, as the command line names it, and what to do with it.

    ``settings`` of the pipeline by name, as "detector.preset"; ``saved`` words of recording.saving, none: the default;
    ``mesh`` a format to save as well, or "none"; ``detections`` of another detector, whose ids stay with ``keeps_ids``.
    """

    source: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    excerpt: Excerpt = EVERYTHING
    saved: tuple[str, ...] = ()
    mesh: str = "none"
    mesh_every: int | None = None
    camera_info: Path | None = None
    fov: float | None = None
    detections: Path | None = None
    keeps_ids: bool = False
    recording: OfRecording = OfRecording()

    @property
    def has_camera(self) -> bool:
        """Whether the camera is given, and not assumed."""
        return self.fov is not None or self.camera_info is not None

    def all_saved(self, default: tuple[str, ...]) -> frozenset[str]:
        """What to write. Raises where a library for it is missing, before any work is done."""
        saved = frozenset(self.saved or default) | ({self.mesh} - {"none"})
        if saved & {"glb", "obj"}:
            require_trimesh()
        if self.mesh_every is not None and self.mesh_every < 1:
            raise ValueError(f"--mesh-every: expected 1 or more, got {self.mesh_every}")
        return saved

    def given(self) -> GivenDetections:
        """What --detections holds; nothing without it. Raises ValueError or OSError."""
        if self.detections is None:
            if self.keeps_ids:
                raise ValueError("--keep-ids: the ids of --detections are kept, which is not given")
            return NOTHING_GIVEN
        return read_given(self.detections)

    def pipeline_settings(self, given: GivenDetections = NOTHING_GIVEN) -> PipelineSettings:
        """The settings of a pipeline that takes the ``given`` detections."""
        source = "search" if self.detections is None else "keypoints" if given.have_keypoints else "boxes"
        of_detections: dict[str, Value] = {"detections.source": source, "detections.keep_ids": self.keeps_ids}
        return updated(PipelineSettings(), {**self.settings, **of_detections})


def check_together(request: Request) -> None:
    """Raise ValueError for what means nothing, or nothing sensible, of many inputs, before any work is done."""
    if request.detections is not None or request.keeps_ids:
        raise ValueError("--detections and --keep-ids: of one input; they name its images")
    if request.excerpt.rate_hz is not None:
        raise ValueError("--rate: of one video; others have rates of their own")
    request.all_saved(DEFAULT_SAVED)
    cameras_of(request.camera_info, request.fov)
    config_of(dict(request.settings), request.recording.parameters)
