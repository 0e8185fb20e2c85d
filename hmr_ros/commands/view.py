# SPDX-License-Identifier: Apache-2.0
"""`hmr view`: show a result, or a running node, in the viewer Rerun: image, people in space, joint angles over time.

The result is bodies.npz or bodies.mcap of `hmr run`, its directory, any recording with the topic bodies, or `live` for
the node that runs now. It opens a window; --web serves a browser, --save writes a file that `rerun FILE.rrd` opens.
Needs rerun-sdk: pip install 'hmr_ros[rerun]'.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.results.opening import read_results, recording_in
from hmr_ros.results.snapshot import Snapshot

if TYPE_CHECKING:
    from hmr_ros.viewing.showing import Opening

LIVE = "live"

_OPEN_BODY = "open_body"

EXAMPLES = (
    "hmr view out/demo/demo.mcap",
    "hmr view out/run/my_bag --images my_bag --web",
    "hmr view bodies.npz --images video.mp4 --save bodies.rrd",
    "hmr view live --image /camera/image_raw",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `hmr view`."""
    parser.add_argument("result", help="bodies.npz, bodies.mcap, the directory of hmr run, a recording, or live")
    parser.add_argument("--images", type=Path, help="video, photos or recording that the bodies were estimated from")
    parser.add_argument("--image", default="", metavar="TOPIC", help="default: the likeliest; live: image")
    parser.add_argument("--topic", default="", help="topic of the bodies, where a recording has several")
    parser.add_argument("--namespace", default="", help="namespace of the node, of live")
    parser.add_argument("--smpl", type=Path, help="body model of the result, .npz (default: the open body)")
    parser.add_argument("--mesh-faces", type=int, default=1000, help="triangles of each body (%(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--save", type=Path, metavar="FILE.rrd", help="write a file instead")
    where.add_argument("--web", action="store_true", help="serve a page to a browser instead, until Ctrl-C")
    parser.add_argument("--port", type=int, default=9876, help="of the viewer (%(default)s)")
    parser.add_argument("--web-port", type=int, default=9090, help="of the page (%(default)s)")
    parser.add_argument(
        "--bind",
        default="127.0.0.1",
        help="address that the viewer listens on; 0.0.0.0: all (%(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Show it; 0 once it is written, closed or ended by Ctrl-C."""
    _check(args)
    body_model = load_body_model(args.smpl or models_dir() / f"{_OPEN_BODY}.npz")
    with contextlib.suppress(KeyboardInterrupt):
        if args.result == LIVE:
            _show_live(args, body_model)
        else:
            _show_result(args, body_model)
    return 0


def _check(args: argparse.Namespace) -> None:
    if importlib.util.find_spec("rerun") is None:
        raise RuntimeError(
            "shown by the Python module rerun, which is not installed: pip install rerun-sdk (or hmr_ros[rerun])"
        )
    if args.mesh_faces < 4:
        raise ValueError(f"--mesh-faces: expected 4 or more, got {args.mesh_faces}")
    if args.save is not None and args.save.suffix != ".rrd":
        raise ValueError(f"--save {args.save}: expected a name that ends in .rrd")


def _show_result(args: argparse.Namespace, body_model: BodyModel) -> None:
    from hmr_ros.viewing.showing import show_result

    path = Path(args.result)
    snapshots = read_results(path, args.topic, _say)
    if not snapshots:
        raise ValueError(f"{path}: no images in it")
    _check_body(snapshots[0], args)
    with _with_images(args, path, snapshots) as shown:
        show_result(snapshots, shown, body_model, _opening(args), args.mesh_faces)
    if args.save is not None:
        print(f"{args.save}  (rerun {args.save})")


def _show_live(args: argparse.Namespace, body_model: BodyModel) -> None:
    if importlib.util.find_spec("rclpy") is None:
        raise RuntimeError("live: rclpy is missing: source your ROS 2 workspace (. install/setup.bash)")
    from hmr_ros.viewing.live import live_snapshots
    from hmr_ros.viewing.showing import show_live

    show_live(live_snapshots(args.namespace, args.image or "image"), body_model, _opening(args), args.mesh_faces)


def _check_body(snapshot: Snapshot, args: argparse.Namespace) -> None:
    """Raise ValueError where the parameters are of another body than the one that is posed."""
    if args.smpl is None and snapshot.body_model not in ("", _OPEN_BODY):
        raise ValueError(f"the bodies are of {snapshot.body_model}: give its file with --smpl")


@contextlib.contextmanager
def _with_images(args: argparse.Namespace, path: Path, snapshots: tuple[Snapshot, ...]) -> Iterator[Iterator[Snapshot]]:
    """``snapshots`` with the images of --images, or of the recording itself."""
    from hmr_ros.results import images

    source = args.images or recording_in(path)
    if source is None or not (args.images or images.has_images(source, _say)):
        _say("without images: --images gives the video or recording that they were estimated from")
        yield iter(snapshots)
        return
    with images.opened(source, args.image, _say) as found:
        yield found.beside(snapshots)


def _opening(args: argparse.Namespace) -> Opening:
    from hmr_ros.viewing.output import Server, to_file, to_viewer

    if args.save is not None:
        return partial(to_file, args.save)
    server = Server(args.port, args.web_port if args.web else None, args.bind)
    if args.web:
        print(f"{server.page}\n(Ctrl-C ends)", flush=True)
    return partial(to_viewer, server)


def _say(text: str) -> None:
    print(f"hmr view: {text}", file=sys.stderr)
