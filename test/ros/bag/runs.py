# SPDX-License-Identifier: Apache-2.0
"""Runs over recordings with a pipeline without networks."""

import contextlib
from types import SimpleNamespace

from hmr_ros.media.sources import Excerpt
from hmr_ros.recording import directory
from hmr_ros.recording.calibration import cameras_of
from hmr_ros.ros.bag.batch import Batch
from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.ros.bag.options import Options, config_of
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.types import message_class
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline


def build(people=2, pipelines=None):
    """Opens pipelines of stubs whose people are numbered as those of networks."""

    def opened(config, parts):
        pipeline = stub_pipeline(StubDetector(people), StubEstimator())
        pipeline.tracker._ids = parts.ids
        pipeline.configure(config)
        if pipelines is not None:
            pipelines.append(pipeline)
        return pipeline

    return opened


def options(*, images=(), depth="", merges=False, parameters=(), saved=("mcap", "json"), every=1, fov=None, **excerpt):
    return Options(
        images,
        depth,
        merges,
        config_of({}, parameters),
        Excerpt(every, **excerpt),
        cameras_of(None, fov),
        is_given=fov is not None,
        saved=frozenset(saved),
    )


def run(path, out, people=2, stop_after=None, resume=False, opened=None, **asked):
    """Run over the recording ``path``; the summary and what was reported."""
    problems, stopping = [], SimpleNamespace(requested=False)
    left = [stop_after]

    def advance():
        if left[0] is not None:
            left[0] -= 1
            stopping.requested = left[0] <= 0

    with Batch(path, options(**asked), problems.append) as batch:
        if resume:
            batch.resume(out)
        else:
            directory.prepare(out)
        summary = batch.run(out, opened or build(people), advance, stopping)
    return summary, problems


def recorded(out, *topics):
    """(topic, log_ns, type, bytes) of the result, of ``topics`` or of all."""
    with contextlib.closing(open_recording(out / "bodies.mcap", problems_are_none)) as result:
        types = {name: topic.type for name, topic in result.topics.items()}
        return [(r.topic, r.log_ns, types[r.topic], r.data) for r in result.records(topics or None)]


def published(out, *topics):
    """(topic, log_ns, message) of the result, of ``topics``."""
    found = []
    for topic, log_ns, kind, data in recorded(out, *topics):
        package, _, name = kind.split("/")
        found.append((topic, log_ns, deserialise(data, message_class(package, name))))
    return found


def problems_are_none(text):
    raise AssertionError(text)
