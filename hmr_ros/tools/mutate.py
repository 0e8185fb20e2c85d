# SPDX-License-Identifier: Apache-2.0
"""Break a copy of the tree in small ways and see whether the tests notice: ``python -m hmr_ros.tools.mutate``.

100 random mutants of core, perception, ros and training, or with ``--base REV`` those of the lines that changed since.
Each is tried on the test that mirrors its file, then on those that import it. Results are kept as they come; the same
command goes on where it was interrupted. docs/testing.md says how to read them.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hmr_ros.tools.mutation.allowed import Allowed, load_allowed
from hmr_ros.tools.mutation.drawing import changed_mutants, random_mutants
from hmr_ros.tools.mutation.report import Result, draft, load_results, save_results, summary
from hmr_ros.tools.mutation.selection import Selection
from hmr_ros.tools.mutation.sites import Mutant
from hmr_ros.tools.mutation.workbench import Workbench, copy_tree, environment

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "perception", "ros", "training")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where no mutant survived, else 1."""
    options = _parser().parse_args(arguments)
    allowed = load_allowed(ROOT)
    if options.base:
        mutants = changed_mutants(ROOT, options.base, allowed)
    else:
        mutants = random_mutants(ROOT, options.packages, options.count, options.seed, allowed)
    results = _tried(mutants, allowed, options)
    print(summary(results))
    return int(any(result.fate == "survived" for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--base", default="", help="try every mutant of the lines that changed since this revision")
    parser.add_argument("--count", type=int, default=100, help="how many random mutants (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which random ones (default %(default)s)")
    parser.add_argument(
        "--packages", nargs="+", default=PACKAGES, help="sub-packages of hmr_ros (default: %(default)s)"
    )
    parser.add_argument("--files", type=int, default=12, help="most test files for one mutant (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="most CPU time of a group of tests (%(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after so long, and report what was tried until then"
    )
    parser.add_argument("--again", action="store_true", help="try the survivors of an earlier run again")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out" / "mutants.json", help="results, resumed (%(default)s)"
    )
    return parser


def _tried(mutants: Sequence[Mutant], allowed: Allowed, options: argparse.Namespace) -> list[Result]:
    """Results of all mutants: earlier ones from the file, the others from tests, added to the file as they come."""
    from tqdm import tqdm

    known = {r.key: r for r in load_results(options.out) if not (options.again and r.fate == "survived")}
    keys: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory, _workbench(directory, options.seconds) as bench:
        selection, end_s = Selection(bench.tree), time.monotonic() + 60 * options.minutes
        for mutant in tqdm(mutants, desc="mutants", unit="mutant"):
            drafted = draft(mutant, bench.source(mutant.path))
            if reason := allowed.reason(drafted.path, drafted.before, drafted.after):
                known[drafted.key] = drafted.decided("equivalent", reason)
            elif drafted.key not in known:
                test = bench.noticed_by(mutant, selection.stages(mutant.path, options.files))
                known[drafted.key] = drafted.decided("noticed" if test else "survived", test)
            keys.append(drafted.key)
            save_results(options.out, known.values())
            if time.monotonic() > end_s:
                break
    return [known[key] for key in keys]


@contextmanager
def _workbench(directory: str, seconds: float) -> Iterator[Workbench]:
    tree = Path(directory).resolve()
    copy_tree(ROOT, tree)
    bench = Workbench(tree, environment(ROOT, tree), seconds)
    try:
        yield bench
    finally:
        bench.close()


if __name__ == "__main__":
    raise SystemExit(main())
