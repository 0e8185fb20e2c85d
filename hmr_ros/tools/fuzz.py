# SPDX-License-Identifier: Apache-2.0
"""Broken input for everything that is read: ``make fuzz``.

Valid messages and files with damage, and random bytes, go to all subscribers of the node and to the readers of models,
manifests, settings, calibrations, recordings, photos and videos. Each input must be read, or refused by the named
error; what else happens is printed with its traceback, and the input is kept in out/fuzz.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

_OUT = Path(__file__).resolve().parents[2] / "out" / "fuzz"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where every input was read or refused by name, else 1."""
    from hmr_ros.bench.fuzz.campaign import run
    from hmr_ros.bench.fuzz.files import files
    from hmr_ros.bench.fuzz.subscribers import subscribers

    options = _parser().parse_args(arguments)
    found = 0
    with tempfile.TemporaryDirectory() as directory:
        targets = [*subscribers(), *files(Path(directory))]
        chosen = [target for target in targets if options.only in target.name]
        for outcome in run(chosen, options.messages, options.seed):
            counts = f"{outcome.read} read, {outcome.refused} refused, the slowest took {outcome.longest_s:.2f} s"
            print(f"{outcome.target}: {counts}", flush=True)
            if outcome.find is not None:
                found += 1
                path = options.out / f"{outcome.target.replace(' ', '_')}.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(outcome.find.data)
                print(f"{outcome.find.trace}\nFOUND: {path} ({len(outcome.find.data)} bytes)", flush=True)
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000, help="inputs in all (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs (default %(default)s)")
    parser.add_argument("--only", default="", help="only readers whose name has this in it")
    parser.add_argument("--out", type=Path, default=_OUT, help="directory of what was found (default %(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
