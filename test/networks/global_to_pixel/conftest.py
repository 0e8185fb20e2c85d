# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body_model(models_dir() / "open_body.npz")
