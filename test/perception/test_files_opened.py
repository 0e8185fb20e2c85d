# SPDX-License-Identifier: Apache-2.0
"""``files_opened`` names what ``assemble`` opens."""

import pytest

from hmr_ros.core.config import DetectionsConfig, DetectorConfig, PipelineSettings
from hmr_ros.core.manifest import MODELS_VARIABLE, models_dir
from hmr_ros.perception.assemble import assemble, files_opened
from hmr_ros.perception.shared import SharedParts

SHIPPED = models_dir()


class Noting(SharedParts):
    """Notes which files are opened, and which networks of them run in the background."""

    def __init__(self):
        super().__init__()
        self.opened, self.background = [], []

    def network(self, manifest_path, *settings, **others):
        self.opened.append(manifest_path)
        self.background += [manifest_path.stem] if others.get("background") else []
        return super().network(manifest_path, *settings, **others)

    def body_model(self, path):
        self.opened.append(path)
        return super().body_model(path)


@pytest.mark.slow
@pytest.mark.skipif(not (SHIPPED / "pose2mesh.json").is_file(), reason="needs the trained network")
@pytest.mark.parametrize(
    "settings",
    [
        PipelineSettings(),
        PipelineSettings(model="both", detector=DetectorConfig(preset="fast")),
        PipelineSettings(model="global_to_pixel", detections=DetectionsConfig(source="keypoints")),
        PipelineSettings(model_path=str(SHIPPED / "pose2mesh.json"), smpl_path=str(SHIPPED / "open_body.npz")),
    ],
)
def test_they_are_those_that_are_opened(settings):
    parts = Noting()
    with assemble(settings, parts):
        assert sorted(parts.opened) == sorted(files_opened(settings))


@pytest.mark.slow
@pytest.mark.skipif(not (SHIPPED / "pose2mesh.json").is_file(), reason="needs the trained network")
@pytest.mark.parametrize(("searches", "background"), [(False, []), (True, ["nanodet"])])
def test_what_searches_in_the_background_leaves_the_gpu_to_the_others(searches, background):
    parts = Noting()
    settings = PipelineSettings(detector=DetectorConfig(preset="fast"))
    with assemble(settings, parts, background_search=searches):
        assert parts.background == background


def test_without_global_to_pixel_they_are_those_of_pose2mesh(tmp_path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    names = {path.name for path in files_opened(PipelineSettings(model="both"))}
    assert "pose2mesh.json" in names
    assert "global_to_pixel.json" not in names
