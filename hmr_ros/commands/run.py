# SPDX-License-Identifier: Apache-2.0
"""`hmr run`: estimate the bodies in photos, a video or a webcam and write them to files; without ROS."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from hmr_ros.core.camera import Camera
from hmr_ros.core.config import DetectionsConfig, DetectorConfig, PipelineSettings
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.core.settings import describe
from hmr_ros.media.sources import (
    Excerpt,
    Frame,
    PhotoSource,
    Source,
    StreamSource,
    Unreadable,
    VideoSource,
    WebcamSource,
    open_source,
)
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.recording import directory
from hmr_ros.recording.arrays import Arrays
from hmr_ros.recording.entry import Writer
from hmr_ros.recording.given import NOTHING_GIVEN, GivenDetections, read_given
from hmr_ros.recording.json_lines import JsonLines
from hmr_ros.recording.meshes import Meshes, require_trimesh
from hmr_ros.recording.overlays import OverlayImages, OverlayVideo
from hmr_ros.recording.process import Cameras, Summary, estimator, record
from hmr_ros.recording.stopping import Stopping

try:
    from tqdm import tqdm
except ModuleNotFoundError:  # a robot that has ROS's dependencies alone
    tqdm = None

SAVED = ("overlay", "json", "npz", "glb", "obj")
"""What may be written."""

_DEFAULT_SAVED = "overlay,json,npz"
_MESH_EVERY = 10
"""Of a video; each photo has its meshes."""

_SETTINGS = ("model", "backend", "max_people", "ground", "num_threads", "device_id", "model_path", "smpl_path")
"""Settings of the pipeline that are arguments under their own names ..."""
_DETECTOR = ("detector.preset", "detector.size")
"""... and those of its detector, which are arguments without its name."""

_SOME_UNREADABLE = 3
"""Exit status: images could not be read, others could."""

EXAMPLES = (
    "hmr run photo.jpg",
    "hmr run photos --fov 65 --save overlay,json,glb",
    "hmr run video.mp4 --camera-info camera.yaml --start 10 --seconds 5",
    "hmr run 0 --save json",
)

_FILES = """
files, in --out:
  overlay/STEM.png, overlay.mp4   meshes on the images: a file for each photo, a video of a video
  bodies.jsonl                    one JSON object per image: image, frame, stamp_s, camera, lost, joint_set, bodies;
                                  of each body id, state, unseen_s, score, valid, kp2d, kp2d_score, global_orient,
                                  body_pose, betas, cam_t, joints, joint_error, joint_covariance, root_covariance, ...
  bodies.npz                      the same as flat arrays, image_index says which image each body is in
  meshes/STEM.glb, .obj           m; x right, y up, z towards the camera, which is at the origin

Positions are m in the camera's optical frame (x right, y down, z forward), rotations rotation vectors; what is not
known is null, or NaN in arrays. docs/run.md has the fields. Exit status: 0; 1: nothing could be read, or an error; 3:
some images could not be read and are missing; 130: interrupted, the files hold what was done by then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `hmr run`."""
    parser.epilog = f"{parser.epilog or ''}\n{_FILES}"
    parser.add_argument(
        "source", help="photo, directory of photos, video, number or device of a webcam, or URL (rtsp://...)"
    )
    parser.add_argument("--out", type=Path, help="directory of the files (default: out/run/NAME, or NAME-2, ...)")
    parser.add_argument("--overwrite", action="store_true", help="remove what an earlier run wrote into --out")
    parser.add_argument(
        "--save", type=_saved, default=_DEFAULT_SAVED, help=f"comma-separated, of {', '.join(SAVED)} (%(default)s)"
    )
    parser.add_argument(
        "--mesh", choices=("glb", "obj", "none"), default="none", help="save meshes as well, in this format"
    )
    parser.add_argument("--mesh-every", type=int, help="meshes of every N-th image (default: 1; 10 of a video)")
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--fov", type=float, help="angle of the longer image side in degrees (default: assume 60)")
    camera.add_argument("--camera-info", type=Path, help="YAML file of camera_calibration")
    parser.add_argument("--every", type=int, default=1, help="take every N-th image (%(default)s)")
    parser.add_argument("--start", type=float, default=0.0, help="begin at this time of a video, s")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long (default: at the end)")
    parser.add_argument("--rate", type=float, help="frames per second of a video, where its file is wrong about it")
    parser.add_argument(
        "--detections",
        type=Path,
        help="JSON lines of boxes or keypoints in place of the search (docs/run.md)",
    )
    parser.add_argument("--keep-ids", action="store_true", help="people keep the ids of --detections")
    _add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Estimate and write; the exit status."""
    saved = _all_saved(args)
    excerpt = Excerpt(args.every, args.start, args.seconds, args.rate)
    cameras = _cameras(args)
    given = _given(args)
    source = open_source(args.source)
    _check_applicable(args, source)
    out = _directory(args, source)
    with _open_pipeline(args, given) as pipeline:
        directory.prepare(out)
        writers = list(_writers(saved, out, source, excerpt, pipeline, args.mesh_every))
        frames = _with_progress(source.frames(excerpt), source.count(excerpt))
        with Stopping() as stopping:
            summary = record(frames, estimator(source, pipeline, cameras, given), writers, _report, stopping)
    _print(summary, out)
    return _exit_status(summary, source)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Arguments for settings of the pipeline, with their defaults and docs."""
    settings = {setting.name: setting for setting in describe(PipelineSettings)}
    for name in (*_SETTINGS, *_DETECTOR):
        setting = settings[name]
        parser.add_argument(
            f"--{name.removeprefix('detector.').replace('_', '-')}",
            type=int if setting.type == "int" else str,
            default=setting.default,
            choices=setting.choices,
            help=f"{setting.doc} ({setting.default})" if setting.default != "" else setting.doc,
        )


def _given(args: argparse.Namespace) -> GivenDetections:
    """What --detections holds; nothing without it."""
    if args.detections is None:
        if args.keep_ids:
            raise ValueError("--keep-ids: the ids of --detections are kept, which is not given")
        return NOTHING_GIVEN
    return read_given(args.detections)


def _settings(args: argparse.Namespace, given: GivenDetections = NOTHING_GIVEN) -> PipelineSettings:
    named = {name: getattr(args, name) for name in _SETTINGS}
    source = "search" if args.detections is None else "keypoints" if given.have_keypoints else "boxes"
    detections = DetectionsConfig(source=source, keep_ids=args.keep_ids)
    detector = DetectorConfig(preset=args.preset, size=args.size)
    return dataclasses.replace(PipelineSettings(detector=detector, detections=detections), **named)


def _open_pipeline(args: argparse.Namespace, given: GivenDetections) -> Pipeline:
    """The pipeline that the arguments ask for; people are numbered from 1, so that each run gives the same files."""
    parts = SharedParts()
    parts.ids = itertools.count(1)
    return assemble(_settings(args, given), parts)


def _saved(text: str) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    unknown = [word for word in words if word not in SAVED]
    if unknown or not words:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(SAVED)}, got {text!r}")
    return words


def _all_saved(args: argparse.Namespace) -> frozenset[str]:
    """What to write. Raises where a library for it is missing, before any work is done."""
    saved = frozenset(args.save) | ({args.mesh} - {"none"})
    if saved & {"glb", "obj"}:
        require_trimesh()
    if args.mesh_every is not None and args.mesh_every < 1:
        raise ValueError(f"--mesh-every: expected 1 or more, got {args.mesh_every}")
    return saved


def _cameras(args: argparse.Namespace) -> Cameras:
    """The camera of an image by its size: calibrated, or assumed from a field of view."""
    if args.camera_info is None:
        degrees = ASSUMED_FIELD_OF_VIEW_DEG if args.fov is None else args.fov
        Camera.from_fov(degrees, 1, 1)  # a wrong angle is refused now
        return lambda width, height: Camera.from_fov(degrees, width, height)
    calibrated = Camera.from_yaml(args.camera_info)

    def of_size(width: int, height: int) -> Camera:
        if (width, height) != (calibrated.width, calibrated.height):
            raise ValueError(
                f"{args.camera_info} calibrates {calibrated.width} x {calibrated.height} px, an image has "
                f"{width} x {height}: give the calibration of this camera, or --fov"
            )
        return calibrated

    return of_size


def _check_applicable(args: argparse.Namespace, source: Source) -> None:
    """Photos have no time, and a webcam's cannot be chosen. Warn of an assumed camera."""
    if not isinstance(source, VideoSource):
        given = [f"--{name}" for name in ("start", "rate") if getattr(args, name)]
        if isinstance(source, PhotoSource) and args.seconds != float("inf"):
            given.append("--seconds")
        if given:
            raise ValueError(f"{' and '.join(given)}: only a video has such a time, and {args.source} is none")
    if args.fov is None and args.camera_info is None:
        print(
            f"hmr run: assuming a field of view of {ASSUMED_FIELD_OF_VIEW_DEG:g} degrees; distances are right only as "
            "far as this is. Give --fov or --camera-info",
            file=sys.stderr,
        )


def _directory(args: argparse.Namespace, source: Source) -> Path:
    """Where the files go. Raises FileExistsError for one that an earlier run has used."""
    if args.out is None:
        if isinstance(source, WebcamSource | StreamSource):
            name = source.name
        else:
            name = Path(args.source).expanduser().resolve().stem
        return directory.DEFAULT_ROOT / name if args.overwrite else directory.free_directory(name)
    if not args.overwrite:
        directory.check_free(args.out)
    out: Path = args.out
    return out


def _writers(
    saved: frozenset[str], out: Path, source: Source, excerpt: Excerpt, pipeline: Pipeline, mesh_every: int | None
) -> Iterator[Writer]:
    if "json" in saved:
        yield JsonLines(out / directory.JSON_LINES)
    if "npz" in saved:
        yield Arrays(out / directory.ARRAYS)
    if "overlay" in saved and isinstance(source, PhotoSource):
        yield OverlayImages(out / directory.OVERLAYS, pipeline.faces)
    elif "overlay" in saved and not isinstance(source, PhotoSource):
        rate_hz = (excerpt.rate_hz or source.rate_hz) / excerpt.every
        yield OverlayVideo(out / directory.VIDEO, rate_hz, pipeline.faces)
    every = mesh_every or (1 if isinstance(source, PhotoSource) else _MESH_EVERY)
    if "glb" in saved:
        yield Meshes(out / directory.MESHES, "glb", pipeline.faces, every)
    if "obj" in saved:
        yield Meshes(out / directory.MESHES, "obj", pipeline.faces, every)


def _with_progress(frames: Iterable[Frame | Unreadable], count: int) -> Iterable[Frame | Unreadable]:
    """``frames`` with a bar on a terminal; as they are where tqdm is not installed."""
    if tqdm is None:
        return frames
    bar: Iterable[Frame | Unreadable] = tqdm(frames, total=count or None, unit="image", disable=None)
    return bar


def _report(unreadable: Unreadable) -> None:
    """One line on standard error, above the bar if there is one."""
    write = print if tqdm is None else tqdm.write
    write(f"hmr run: skipped {unreadable.reason}", file=sys.stderr)


def _print(summary: Summary, out: Path) -> None:
    """What was done, and the files."""
    print(f"{summary.images} images, {summary.bodies} bodies of {summary.people} people")
    if summary.unreadable:
        print(f"{summary.unreadable} images could not be read (named above)")
    for name in (directory.JSON_LINES, directory.ARRAYS, directory.VIDEO, directory.OVERLAYS, directory.MESHES):
        if (out / name).exists():
            print(f"  {out / name}")


def _exit_status(summary: Summary, source: Source) -> int:
    if summary.interrupted and not source.live:  # a webcam ends in no other way
        return 130
    if not summary.images:
        return 1
    return _SOME_UNREADABLE if summary.unreadable else 0
