# SPDX-License-Identifier: Apache-2.0
"""`hmr run`: estimate the bodies in photos, a video, a webcam or a recording of ROS and write them; without ROS."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Iterable
from pathlib import Path

from hmr_ros.core.config import DetectionsConfig, DetectorConfig, HandsConfig, PipelineSettings
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
from hmr_ros.recording.calibration import cameras_of
from hmr_ros.recording.given import NOTHING_GIVEN, GivenDetections, read_given
from hmr_ros.recording.meshes import require_trimesh
from hmr_ros.recording.process import Summary, estimator, record
from hmr_ros.recording.saving import SAVED, Images, writers_of
from hmr_ros.recording.stopping import Stopping
from hmr_ros.ros.bag import opening
from hmr_ros.ros.bag.options import Options, config_of

try:
    from tqdm import tqdm
except ModuleNotFoundError:  # a robot that has ROS's dependencies alone
    tqdm = None

_DEFAULT_SAVED = ("overlay", "json", "npz")  # of a recording, mcap as well

_SETTINGS = ("model", "backend", "max_people", "ground", "num_threads", "device_id", "model_path", "smpl_path")
"""Settings of the pipeline that are arguments under their own names ..."""
_DETECTOR = ("detector.preset", "detector.size")
"""... and those of its detector, which are arguments without its name."""

_SOME_UNREADABLE = 3  # exit status: images could not be read, others could

EXAMPLES = (
    "hmr run photo.jpg",
    "hmr run photos --fov 65 --save overlay,json,glb",
    "hmr run video.mp4 --camera-info camera.yaml --start 10 --seconds 5",
    "hmr run 0 --save json",
    "hmr run my_bag --depth /camera/aligned_depth_to_color/image_raw -p target_frame:=odom",
)

_FILES = """
files, in --out:
  overlay/STEM.png, overlay.mp4   meshes on the images: a file for each photo, a video of a video
  bodies.jsonl                    one JSON object per image: image, frame, stamp_s, camera, lost, joint_set, bodies;
                                  of each body id, state, unseen_s, score, valid, kp2d, kp2d_score, global_orient,
                                  body_pose, betas, cam_t, joints, joint_error, joint_covariance, root_covariance, ...
  bodies.npz                      the same as flat arrays, image_index says which image each body is in
  meshes/STEM.glb, .obj           m; x right, y up, z towards the camera, which is at the origin
  bodies.mcap                     of a recording: the topics that the node publishes, for ros2 bag play, RViz, Foxglove

Positions are m in the camera's optical frame (x right, y down, z forward), rotations rotation vectors; what is not
known is null, or NaN in arrays. docs/run.md has the fields. Exit status: 0; 1: nothing could be read, or an error; 3:
some images could not be read and are missing; 130: interrupted, the files hold what was done by then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `hmr run`."""
    parser.epilog = f"{parser.epilog or ''}\n{_FILES}"
    parser.add_argument(
        "source",
        help="photo, directory of photos, video, number or device of a webcam, URL (rtsp://...), or recording (.mcap, "
        ".db3, .bag, a directory of ros2 bag)",
    )
    parser.add_argument("--out", type=Path, help="directory of the files (default: out/run/NAME, or NAME-2, ...)")
    parser.add_argument("--overwrite", action="store_true", help="remove what an earlier run wrote into --out")
    parser.add_argument(
        "--save",
        type=_saved,
        help=f"comma-separated, of {', '.join(SAVED)} (default: {','.join(_DEFAULT_SAVED)}, and mcap of a recording)",
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
    parser.add_argument("--hands", action="store_true", help="locate hands as well, and draw them (docs/hands.md)")
    _add_settings(parser)
    recording = parser.add_argument_group("of a recording alone (docs/bags.md)")
    recording.add_argument(
        "--image", action="append", default=[], metavar="TOPIC", help="repeatable; all: every camera"
    )
    recording.add_argument("--depth", default="", metavar="TOPIC", help="depth, registered to the images")
    recording.add_argument(
        "--merge", action="store_true", help="put the recording's own messages into bodies.mcap, too"
    )
    recording.add_argument("--resume", action="store_true", help="go on with a run that was interrupted, in --out")
    recording.add_argument(
        "-p", "--param", action="append", default=[], metavar="NAME:=VALUE", help="parameter of the node, repeatable"
    )


def run(args: argparse.Namespace) -> int:
    """Estimate and write; the exit status."""
    if opening.is_recording(Path(args.source).expanduser()):
        return _run_recording(args)
    _check_no_recording(args)
    saved = _all_saved(args, _DEFAULT_SAVED)
    excerpt = Excerpt(args.every, args.start, args.seconds, args.rate)
    cameras = cameras_of(args.camera_info, args.fov)
    given = _given(args)
    source = open_source(args.source)
    _check_applicable(args, source)
    out = directory.chosen(args.out, _name(args, source), overwrites=args.overwrite)
    with _open_pipeline(args, given) as pipeline:
        directory.prepare(out)
        rate_hz = None if isinstance(source, PhotoSource) else (excerpt.rate_hz or source.rate_hz) / excerpt.every
        writers = list(writers_of(saved, out, Images(rate_hz, pipeline.faces), args.mesh_every))
        frames = _with_progress(source.frames(excerpt), source.count(excerpt))
        with Stopping() as stopping:
            summary = record(frames, estimator(source, pipeline, cameras, given), writers, _report, stopping)
    _print(summary, out)
    return _exit_status(summary, is_live=source.live)


def _run_recording(args: argparse.Namespace) -> int:
    """As ``run``, of a recording of ROS."""
    path = Path(args.source).expanduser()
    opening.require("mcap", path)
    from hmr_ros.ros.bag.batch import Batch

    with Batch(path, _options(args), _say) as batch:
        if args.resume:
            out = args.out or directory.DEFAULT_ROOT / path.resolve().stem
            batch.resume(out)
        else:
            out = directory.chosen(args.out, path.resolve().stem, overwrites=args.overwrite)
            directory.prepare(out)
        with Stopping() as stopping, _bar(batch.image_count) as bar:
            summary = batch.run(out, assemble, bar.update, stopping)
    _print(summary, out)
    return _exit_status(summary, is_live=False)


def _options(args: argparse.Namespace) -> Options:
    """What the arguments ask of a recording. Raises ValueError for those that do not go with one."""
    if args.rate is not None:
        raise ValueError("--rate: a recording has the time of each image")
    if args.detections is not None:
        raise ValueError("--detections: not of a recording; its images are searched")
    settings = {name: getattr(args, name) for name in _SETTINGS}
    settings |= {"detector.preset": args.preset, "detector.size": args.size}
    return Options(
        args.image,
        args.depth,
        args.merge,
        config_of(settings, args.param),
        Excerpt(args.every, args.start, args.seconds),
        cameras_of(args.camera_info, args.fov),
        is_given=args.fov is not None or args.camera_info is not None,
        saved=_all_saved(args, (*_DEFAULT_SAVED, "mcap")),
        mesh_every=args.mesh_every,
    )


def _check_no_recording(args: argparse.Namespace) -> None:
    given = [f"--{name}" for name in ("image", "depth", "merge", "resume", "param") if getattr(args, name)]
    if "mcap" in (args.save or ()):
        given.append("--save mcap")
    if given:
        raise ValueError(f"{' and '.join(given)}: of a recording alone, and {args.source} is none")


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
    settings = PipelineSettings(detector=detector, detections=detections, hands=HandsConfig(enabled=args.hands))
    return dataclasses.replace(settings, **named)


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


def _all_saved(args: argparse.Namespace, default: tuple[str, ...]) -> frozenset[str]:
    """What to write. Raises where a library for it is missing, before any work is done."""
    saved = frozenset(args.save or default) | ({args.mesh} - {"none"})
    if saved & {"glb", "obj"}:
        require_trimesh()
    if args.mesh_every is not None and args.mesh_every < 1:
        raise ValueError(f"--mesh-every: expected 1 or more, got {args.mesh_every}")
    return saved


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


def _name(args: argparse.Namespace, source: Source) -> str:
    """What the files of ``source`` are named after."""
    if isinstance(source, WebcamSource | StreamSource):
        return source.name
    return Path(args.source).expanduser().resolve().stem


class _Silence:
    """A bar where tqdm is not installed."""

    def update(self) -> None:
        """Show nothing."""


def _bar(count: int) -> contextlib.AbstractContextManager[_Silence]:
    """A bar on a terminal for ``count`` images, 0: unknown."""
    if tqdm is None:
        return contextlib.nullcontext(_Silence())
    bar: contextlib.AbstractContextManager[_Silence] = tqdm(total=count or None, unit="image", disable=None)
    return bar


def _with_progress(frames: Iterable[Frame | Unreadable], count: int) -> Iterable[Frame | Unreadable]:
    """``frames`` with a bar on a terminal; as they are where tqdm is not installed."""
    if tqdm is None:
        return frames
    bar: Iterable[Frame | Unreadable] = tqdm(frames, total=count or None, unit="image", disable=None)
    return bar


def _report(unreadable: Unreadable) -> None:
    _say(f"skipped {unreadable.reason}")


def _say(text: str) -> None:
    """One line on standard error, above the bar if there is one."""
    write = print if tqdm is None else tqdm.write
    write(f"hmr run: {text}", file=sys.stderr)


def _print(summary: Summary, out: Path) -> None:
    """What was done, and the files."""
    print(f"{summary.images} images, {summary.bodies} bodies of {summary.people} people")
    if summary.unreadable:
        print(f"{summary.unreadable} images could not be read (named above)")
    for path in directory.results(out):
        print(f"  {path}")


def _exit_status(summary: Summary, *, is_live: bool) -> int:
    if summary.interrupted and not is_live:  # a webcam ends in no other way
        return 130
    if not summary.images:
        return 1
    return _SOME_UNREADABLE if summary.unreadable else 0
