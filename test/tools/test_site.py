# SPDX-License-Identifier: Apache-2.0
import pytest

pytest.importorskip("mkdocs")

from hmr_ros.tools import site


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[ids](docs/tracking.md#states)", "[ids](tracking.md#states)"),
        ("![people](docs/images/demo.jpg)", "![people](images/demo.jpg)"),
        ("[body](models/README.md)", "[body](models.md)"),
        ("[one](msg/SmplBody.msg)", "[one](messages.md#smplbody)"),
        ("[a file without a page](LICENSE)", "a file without a page"),
        (
            "[elsewhere](https://example.org/a) and [here](#limits)",
            "[elsewhere](https://example.org/a) and [here](#limits)",
        ),
    ],
)
def test_links_of_the_readme_lead_to_pages(markdown: str, expected: str):
    assert site.with_site_links(markdown, "README.md", "index.md") == expected


def test_links_from_guides_to_code_lead_to_its_docstrings():
    told = site.with_site_links("[x](../hmr_ros/core/temporal/shedding.py)", "docs/latency.md", "latency.md")
    assert told == "[x](api/core/temporal.md#hmr_ros.core.temporal.shedding)"


def test_links_from_models_lead_out_of_their_directory():
    assert site.with_site_links("[x](../docs/gpu.md)", "models/README.md", "models.md") == "[x](gpu.md)"


def test_a_package_page_shows_the_package_and_its_modules():
    shown = site.reference("hmr_ros.core.ros4hri")
    names = [line.removeprefix("::: ") for line in shown.splitlines() if line.startswith(":::")]
    assert names[0] == "hmr_ros.core.ros4hri"
    assert "hmr_ros.core.ros4hri.urdf" in names
