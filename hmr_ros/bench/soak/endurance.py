# SPDX-License-Identifier: Apache-2.0
"""The hour of ``make soak``: images at a fixed rate, people who come and go, events, and a sample every few seconds."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.bench.report import environment
from hmr_ros.bench.soak.curve import curve
from hmr_ros.bench.soak.events import names
from hmr_ros.bench.soak.scene import HEIGHT, LANES, WIDTH, drawn, rendered
from hmr_ros.bench.soak.script import Script
from hmr_ros.bench.soak.verdict import Ids, Sample, as_json, figures, goals
from hmr_ros.bench.soak.world import World
from hmr_ros.core.manifest import atomic_path
from hmr_ros.tools.ros_process import prepare_environment

_SAMPLE_S = 5.0
_MOST_PEOPLE = 5
_STAY_S = (0.5, 8.0)
"""Shortest and longest time for which the same people stay."""

_SAVE_EVERY = 12
"""Samples between two versions of the report: an interrupted run leaves one, too."""

_FIRST_FREE_DOMAIN, _FREE_DOMAINS = 215, 17
"""ROS domains whose ports lie above those that Linux hands out: /clock and /tf of this run disturb no other node."""


@dataclass(frozen=True)
class Plan:
    """How long, at which rate; whether with the real networks; the seed of all that is random; where results go."""

    minutes: float
    rate_hz: float
    networks: bool
    seed: int
    out: Path


def run(plan: Plan) -> Iterator[float]:
    """Run it; yields the minutes that are over, about every five seconds. Results are in ``plan.out``."""
    os.environ.setdefault("ROS_DOMAIN_ID", str(_FIRST_FREE_DOMAIN + os.getpid() % _FREE_DOMAINS))
    prepare_environment()
    plan.out.mkdir(parents=True, exist_ok=True)
    module = "hmr_ros.ros.node.node" if plan.networks else "hmr_ros.bench.soak.crowd_node"
    with (plan.out / "soak.log").open("wb") as log:
        world = World(module, rendered if plan.networks else drawn, plan.seed, log)
        try:
            world.wait_for(lambda: bool(world.watch.reports and world.watch.latencies_s))
            yield from _Endurance(plan, world).run()
        finally:
            world.close()


class _Endurance:
    def __init__(self, plan: Plan, world: World) -> None:
        self._plan, self._world = plan, world
        self._started_s = self._sampled_s = self._due_s = time.monotonic()
        self._cpu_s, self._taken = world.hmr.cpu_s, world.camera.taken
        self._script = Script(world, self._started_s)
        self._samples: list[Sample] = []
        self._lanes, self._until_s = frozenset[int](), 0.0

    def run(self) -> Iterator[float]:
        end_s = self._started_s + 60 * self._plan.minutes
        while (now_s := time.monotonic()) < end_s and self._world.hmr.running:
            self._image(now_s)
            if now_s - self._sampled_s >= _SAMPLE_S:
                self._sample(now_s)
                yield self._samples[-1].minute
        self._world.end()
        self._save()

    def _image(self, now_s: float) -> None:
        """One image, and the messages until the next is due."""
        self._script.step()
        self._world.camera.take(self._people(now_s))
        self._due_s = max(self._due_s + 1 / self._plan.rate_hz, now_s)  # a late image is not made up for
        self._world.spin_until(self._due_s)

    def _people(self, now_s: float) -> frozenset[int]:
        """The lanes that hold a person now."""
        if now_s >= self._until_s:
            rng = self._world.rng
            lanes = rng.permutation(LANES)[: rng.integers(_MOST_PEOPLE + 1)]
            self._lanes, self._until_s = frozenset(lanes.tolist()), now_s + rng.uniform(*_STAY_S)
        return self._lanes

    def _sample(self, now_s: float) -> None:
        world, seconds = self._world, now_s - self._sampled_s
        cpu_s, latencies_ms = world.hmr.cpu_s, np.array(world.watch.latencies_s) * 1e3
        quiet = self._script.quiet and len(latencies_ms) > 0
        p50, p99 = np.percentile(latencies_ms, (50, 99)).tolist() if quiet else (np.nan, np.nan)
        self._samples.append(
            Sample(
                minute=round((now_s - self._started_s) / 60, 3),
                rss_mib=world.hmr.memory_mib,
                descriptors=world.hmr.descriptors,
                threads=world.hmr.threads,
                cpu=(cpu_s - self._cpu_s) / seconds,
                images_hz=(world.camera.taken - self._taken) / seconds,
                bodies_hz=len(latencies_ms) / seconds,
                latency_p50_ms=p50,
                latency_p99_ms=p99,
                people=len(world.watch.ids),
            )
        )
        self._sampled_s, self._cpu_s, self._taken = now_s, cpu_s, world.camera.taken
        world.watch.latencies_s.clear()
        if len(self._samples) % _SAVE_EVERY == 0:
            self._save()

    def _save(self) -> None:
        """Write report and curve."""
        watch, outcomes = self._world.watch, self._script.outcomes
        ids = Ids(len(watch.ids), tuple(watch.reused), tuple(sorted(watch.ids - watch.lost)))
        measured = figures(self._samples)
        report = {
            "settings": {
                "minutes": self._samples[-1].minute,
                "rate [Hz]": self._plan.rate_hz,
                "image": f"{WIDTH}x{HEIGHT}",
                "networks": self._plan.networks,
                "seed": self._plan.seed,
                "events": names(),
            },
            "environment": environment(),
            "figures": measured,
            "goals": goals(measured, outcomes, ids, self._world.hmr.exit_status),
            "ids": {"seen": ids.seen, "reused": ids.reused, "left over": ids.left_over},
            **as_json(self._samples, outcomes),
        }
        for name, text in (
            ("soak.json", json.dumps(report, indent=1) + "\n"),
            ("soak.svg", curve(self._samples, outcomes)),
        ):
            with atomic_path(self._plan.out / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
