# SPDX-License-Identifier: Apache-2.0
"""One input: photos, a video, a webcam or a recording of ROS -> files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.media.sources import (
    PhotoSource,
    Source,
    StreamSource,
    Unreadable,
    VideoSource,
    WebcamSource,
    open_source,
)
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.recording import directory
from hmr_ros.recording.calibration import cameras_of
from hmr_ros.recording.process import estimator, record
from hmr_ros.recording.saving import Images, writers_of
from hmr_ros.recording.stopping import Stopping
from hmr_ros.recording.tally import Summary
from hmr_ros.ros.bag import opening
from hmr_ros.ros.bag.options import Options, config_of
from hmr_ros.running.progress import Progress, counted
from hmr_ros.running.request import DEFAULT_SAVED, Request

Assemble = Callable[[PipelineSettings, SharedParts], Pipeline]
"""Opens the networks that settings ask for; those of all cameras of a recording share parts."""


@dataclass(frozen=True)
class Output:
    """The directory of the files, None: by the name of the input; what an earlier run left there, ``overwrites``
    removes and ``resumes`` completes.
    """

    path: Path | None = None
    overwrites: bool = False
    resumes: bool = False


@dataclass(frozen=True)
class Done:
    """What a run came to, and where its files are; a ``live`` source ends by a signal alone."""

    summary: Summary
    out: Path
    live: bool = False


class Run:
    """A run over one input, with the networks that ``opened`` opens."""

    def __init__(self, request: Request, progress: Progress, opened: Assemble) -> None:
        self._request = request
        self._progress = progress
        self._assemble = opened

    def into(self, output: Output) -> Done:
        """Estimate and write the bodies. Raises ValueError, OSError, RuntimeError or ImportError."""
        path = Path(self._request.source).expanduser()
        if opening.is_recording(path):
            return self._recording(path, output)
        _check_no_recording(self._request, output)
        return self._images(output)

    def _images(self, output: Output) -> Done:
        """Of photos, a video or a camera."""
        request, excerpt = self._request, self._request.excerpt
        saved = request.all_saved(DEFAULT_SAVED)
        cameras = cameras_of(request.camera_info, request.fov)
        given = request.given()
        source = open_source(request.source)
        _check_applicable(request, source)
        self._warn_of_assumed_camera()
        out = directory.chosen(output.path, source_name(request.source, source), overwrites=output.overwrites)
        parts = SharedParts()
        parts.ids = itertools.count(1)  # each run gives the same files
        with self._assemble(request.pipeline_settings(given), parts) as pipeline:
            directory.prepare(out)
            rate_hz = None if isinstance(source, PhotoSource) else (excerpt.rate_hz or source.rate_hz) / excerpt.every
            writers = list(writers_of(saved, out, Images(rate_hz, pipeline.faces), request.mesh_every))
            estimate = estimator(source, pipeline, cameras, given)
            with Stopping() as stopping, self._progress.bar(source.count(excerpt)) as bar:
                summary = record(counted(source.frames(excerpt), bar), estimate, writers, self._skipped, stopping)
        return Done(summary, out, source.live)

    def _recording(self, path: Path, output: Output) -> Done:
        """Of a recording of ROS."""
        opening.require("mcap", path)
        from hmr_ros.ros.bag.batch import Batch

        with Batch(path, options(self._request), self._progress.say) as batch:
            if output.resumes:
                out = output.path or directory.DEFAULT_ROOT / path.resolve().stem
                batch.resume(out)
            else:
                out = directory.chosen(output.path, path.resolve().stem, overwrites=output.overwrites)
                directory.prepare(out)
            with Stopping() as stopping, self._progress.bar(batch.image_count) as bar:
                summary = batch.run(out, self._assemble, bar.update, stopping)
        return Done(summary, out)

    def _warn_of_assumed_camera(self) -> None:
        if not self._request.has_camera:
            self._progress.say(
                f"assuming a field of view of {ASSUMED_FIELD_OF_VIEW_DEG:g} degrees; distances are right only as far "
                "as this is. Give --fov or --camera-info"
            )

    def _skipped(self, unreadable: Unreadable) -> None:
        self._progress.say(f"skipped {unreadable.reason}")


def options(request: Request) -> Options:
    """What ``request`` asks of a recording. Raises ValueError for what does not go with one."""
    if request.excerpt.rate_hz is not None:
        raise ValueError("--rate: a recording has the time of each image")
    if request.detections is not None:
        raise ValueError("--detections: not of a recording; its images are searched")
    asked = request.recording
    return Options(
        asked.images,
        asked.depth,
        asked.merges,
        config_of(dict(request.settings), asked.parameters),
        request.excerpt,
        cameras_of(request.camera_info, request.fov),
        is_given=request.has_camera,
        saved=request.all_saved((*DEFAULT_SAVED, "mcap")),
        mesh_every=request.mesh_every,
    )


def source_name(text: str, source: Source) -> str:
    """What the files of ``source``, named ``text``, are called."""
    if isinstance(source, WebcamSource | StreamSource):
        return source.name
    return Path(text).expanduser().resolve().stem


def _check_no_recording(request: Request, output: Output) -> None:
    given = request.recording.given()
    if output.resumes:
        given.append("--resume")
    if "mcap" in request.saved:
        given.append("--save mcap")
    if given:
        raise ValueError(f"{' and '.join(given)}: of a recording alone, and {request.source} is none")


def _check_applicable(request: Request, source: Source) -> None:
    """Photos have no time, and a webcam's cannot be chosen."""
    if isinstance(source, VideoSource):
        return
    excerpt = request.excerpt
    given = [name for name, value in (("--start", excerpt.start_s), ("--rate", excerpt.rate_hz)) if value]
    if isinstance(source, PhotoSource) and excerpt.seconds != float("inf"):
        given.append("--seconds")
    if given:
        raise ValueError(f"{' and '.join(given)}: only a video has such a time, and {request.source} is none")
