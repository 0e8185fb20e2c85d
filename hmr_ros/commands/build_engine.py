# SPDX-License-Identifier: Apache-2.0
"""`hmr build-engine`: build the TensorRT engine of one network into a file.

The engine is for this machine's GPU or, with --edition rtx and --target, for other desktop GPUs. The file shows whether
a network compiles and how large it becomes; the node does not load such files. It loads engines from its sealed cache
only (`hmr engines build`, which takes --target, too). Engines are executables: run none from strangers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from hmr_ros.core.manifest import atomic_path, load_manifest
from hmr_ros.engines.tensorrt.build_request import (
    ANY_GPU,
    DEFAULT_WORKSPACE_BYTES,
    NO_DRIVER,
    BuildRequest,
    EngineTarget,
    precision_of,
    request_for,
)

EDITIONS = {"rtx": "tensorrt_rtx", "full": "tensorrt"}


EXAMPLES = (
    "hmr build-engine models/blazepose_landmarks_fp16.json",
    "hmr build-engine models/pose2mesh.json --target sm_86+sm_89 --out pose2mesh.engine",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "model", type=Path, help="manifest (.json) of a network, for example models/blazepose_landmarks_fp16.json"
    )
    parser.add_argument(
        "--edition", choices=EDITIONS, default="rtx", help="TensorRT for RTX or the full TensorRT (%(default)s)"
    )
    parser.add_argument("--target", help="GPUs to build for: sm_86, or several as sm_86+sm_89 (this machine's GPU)")
    parser.add_argument("--out", type=Path, help="engine file (<model>.<target>.engine)")
    parser.add_argument(
        "--workspace",
        type=int,
        default=DEFAULT_WORKSPACE_BYTES >> 20,
        help="maximum scratch memory on the GPU, MiB (%(default)s)",
    )
    parser.add_argument("--version-compatible", action="store_true", help="let it run on later minor versions, slower")
    parser.add_argument(
        "--hardware-compatible", action="store_true", help="let it run on later GPUs, slower (full only)"
    )


def run(args: argparse.Namespace) -> int:
    """Build under a progress bar and write the engine."""
    from hmr_ros.engines.tensorrt.build import build_engine

    request = _request(args)
    out = args.out or Path(f"{args.model.stem}.{request.target.compute_capability}.engine")
    with tqdm(total=100, desc=out.name, unit="%", bar_format="{desc} {percentage:3.0f}%|{bar}| {postfix}") as bar:

        def progress(phase: str, fraction: float) -> None:
            bar.set_postfix_str(phase, refresh=False)
            bar.update(round(100 * fraction) - bar.n)

        engine = build_engine(request, progress)
    with atomic_path(out) as temporary:
        temporary.write_bytes(engine)
    target = request.target
    print(f"{out}: {len(engine) / 2**20:.1f} MiB, {target.edition} {target.version}, {target.precision}")
    return 0


def _request(args: argparse.Namespace) -> BuildRequest:
    import dataclasses

    from hmr_ros.engines.tensorrt.api import load_tensorrt
    from hmr_ros.engines.tensorrt.cuda import find_gpu

    manifest, edition = load_manifest(args.model), EDITIONS[args.edition]
    target = args.target or find_gpu().capability
    version = load_tensorrt(edition).version
    built_for = EngineTarget(edition, version, ANY_GPU, target, NO_DRIVER, precision_of(manifest))
    return dataclasses.replace(
        request_for(args.model, manifest, built_for),
        workspace_bytes=args.workspace << 20,
        version_compatible=args.version_compatible,
        hardware_compatible=args.hardware_compatible,
    )
