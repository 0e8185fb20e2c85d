# SPDX-License-Identifier: Apache-2.0
"""`hmr run`: estimate the bodies in photos, a video, a webcam or a recording of ROS and write them; without ROS."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.settings import describe
from hmr_ros.media.sources import Excerpt
from hmr_ros.perception.assemble import assemble
from hmr_ros.recording import directory
from hmr_ros.recording.saving import SAVED
from hmr_ros.recording.stopping import Stopping
from hmr_ros.recording.tally import Summary
from hmr_ros.running.many.chunks import Chunking
from hmr_ros.running.many.cluster import Cluster
from hmr_ros.running.many.outcome import Status
from hmr_ros.running.many.report import summary_lines
from hmr_ros.running.many.run import Finale, Many, Plan
from hmr_ros.running.many.workers import Executor, Workers
from hmr_ros.running.progress import Terminal
from hmr_ros.running.request import DEFAULT_SAVED, OfRecording, Request
from hmr_ros.running.single import Output, Run

_SETTINGS = ("model", "backend", "max_people", "ground", "num_threads", "device_id", "model_path", "smpl_path")
"""Settings of the pipeline that are arguments under their own names ..."""
_DETECTOR = ("detector.preset", "detector.size")
"""... and those of its detector, which are arguments without its name."""

_MANY_OUT = Path("out/many")

_SOME_UNREADABLE = 3  # exit status: images could not be read, others could

EXAMPLES = (
    "hmr run photo.jpg",
    "hmr run photos --fov 65 --save overlay,json,glb",
    "hmr run video.mp4 --camera-info camera.yaml --start 10 --seconds 5",
    "hmr run 0 --save json",
    "hmr run recordings clips/*.mp4 --workers 4 --save json,npz --out results",
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
        nargs="+",
        help="photo, directory of photos, video, number or device of a webcam, URL (rtsp://...), or recording (.mcap, "
        ".db3, .bag, a directory of ros2 bag); several, or directories and patterns with --workers (docs/many.md)",
    )
    _add_files(parser)
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
    parser.add_argument("--hands", action="store_true", help="draw hands, and move fingers (docs/hands.md)")
    _add_settings(parser)
    _add_many(parser)
    _add_recording(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Arguments for what is written, and where."""
    parser.add_argument(
        "--out", type=Path, help=f"directory of the files (default: out/run/NAME, or NAME-2, ...; of many {_MANY_OUT})"
    )
    parser.add_argument("--overwrite", action="store_true", help="remove what an earlier run wrote into --out")
    parser.add_argument(
        "--save",
        type=_saved,
        help=f"comma-separated, of {', '.join(SAVED)} (default: {','.join(DEFAULT_SAVED)}, and mcap of a recording)",
    )
    parser.add_argument(
        "--mesh", choices=("glb", "obj", "none"), default="none", help="save meshes as well, in this format"
    )
    parser.add_argument("--mesh-every", type=int, help="meshes of every N-th image (default: 1; 10 of a video)")


def _add_many(parser: argparse.ArgumentParser) -> None:
    """Arguments of many inputs."""
    many = parser.add_argument_group("of many inputs (docs/many.md)")
    many.add_argument("--workers", type=int, metavar="N", help="processes that share the inputs (default: 1)")
    many.add_argument("--retries", type=int, help="how often a failed input is tried again (default: 1)")
    many.add_argument("--chunk", type=float, metavar="SECONDS", help="do longer inputs in chunks, several at a time")
    many.add_argument("--ray", metavar="ADDRESS", help="share them by Ray: local, or a cluster's host:port or auto")
    many.add_argument("--cpus-per-task", type=int, metavar="N", help="CPUs of each input's task on --ray (default: 1)")


def _add_recording(parser: argparse.ArgumentParser) -> None:
    """Arguments of a recording."""
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
    if len(args.source) > 1 or args.workers is not None or args.ray is not None:
        return _run_many(args)
    if args.retries is not None or args.chunk is not None:
        raise ValueError("--retries and --chunk: of many inputs; give several, or --workers")
    done = Run(_request(args), Terminal(), assemble).into(Output(args.out, args.overwrite, args.resume))
    _print(done.summary, done.out)
    if not (done.summary.images or done.summary.unreadable or done.summary.interrupted):
        print(f"hmr run: {args.source[0]} has no image {_part(args)}", file=sys.stderr)
    return _exit_status(done.summary, is_live=done.live)


def _run_many(args: argparse.Namespace) -> int:
    """As ``run``, of many inputs."""
    for name in ("overwrite", "resume"):
        if getattr(args, name):
            raise ValueError(f"--{name}: of one input; of many, what is done stays, and each call does the rest")
    retries = 1 if args.retries is None else args.retries
    if retries < 0:
        raise ValueError(f"--retries: expected 0 or more, got {retries}")
    terminal = Terminal()
    chunking = None if args.chunk is None else Chunking(args.chunk)
    plan = Plan(args.source, args.out or _MANY_OUT, retries, chunking)
    many = Many(plan, _request(args), terminal.say, lambda count: terminal.bar(count, "input"))
    with Stopping() as stopping:
        finale = many.run(lambda: _executor(args), stopping)
    for name, value in summary_lines(finale.totals):
        print(f"{name}: {value}")
    for path in finale.report:
        print(f"  {path}")
    return _exit_status_of_many(finale)


def _executor(args: argparse.Namespace) -> Executor:
    """Who does the work: processes of this machine, or a cluster."""
    for name in ("workers", "cpus_per_task"):
        if (number := getattr(args, name)) is not None and number < 1:
            raise ValueError(f"--{name.replace('_', '-')}: expected 1 or more, got {number}")
    if args.ray is not None:
        return Cluster(args.ray, args.cpus_per_task or 1, assemble, args.workers)
    if args.cpus_per_task is not None:
        raise ValueError("--cpus-per-task: of --ray; workers share the cores of this machine")
    return Workers(args.workers or 1, assemble)


def _request(args: argparse.Namespace) -> Request:
    """What the command line asks for. Raises ValueError for what cannot be."""
    settings = {name: getattr(args, name) for name in _SETTINGS}
    settings |= {name: getattr(args, name.removeprefix("detector.")) for name in _DETECTOR}
    settings["hands.enabled"] = args.hands
    return Request(
        args.source[0],
        settings,
        Excerpt(args.every, args.start, args.seconds, args.rate),
        args.save or (),
        args.mesh,
        args.mesh_every,
        args.camera_info,
        args.fov,
        args.detections,
        args.keep_ids,
        OfRecording(tuple(args.image), args.depth, args.merge, tuple(args.param)),
    )


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


def _saved(text: str) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    unknown = [word for word in words if word not in SAVED]
    if unknown or not words:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(SAVED)}, got {text!r}")
    return words


def _print(summary: Summary, out: Path) -> None:
    """What was done, and the files."""
    print(f"{summary.images} images, {summary.bodies} bodies of {summary.people} people")
    if summary.unreadable:
        print(f"{summary.unreadable} images could not be read (named above)")
    for path in directory.results(out):
        print(f"  {path}")


def _part(args: argparse.Namespace) -> str:
    """The part of a source that is read, in words."""
    end = "its end" if math.isinf(args.seconds) else f"{args.start + args.seconds:g} s"
    return f"between {args.start:g} s and {end} (--start, --seconds)"


def _exit_status(summary: Summary, *, is_live: bool) -> int:
    if summary.interrupted and not is_live:  # a webcam ends in no other way
        return 130
    if not summary.images:
        return 1
    return _SOME_UNREADABLE if summary.unreadable else 0


def _exit_status_of_many(finale: Finale) -> int:
    counts = finale.totals.counts
    if finale.interrupted:
        return 130
    if not counts[Status.DONE] + counts[Status.FOUND]:
        return 1
    return _SOME_UNREADABLE if counts[Status.FAILED] or finale.totals.unreadable else 0
