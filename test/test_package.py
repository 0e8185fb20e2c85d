# SPDX-License-Identifier: Apache-2.0
"""The house: versions, dependencies, tables and the two kinds of colcon build agree with the code."""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hmr_ros import __version__
from hmr_ros.tools.readme_tables import DOCUMENTS, TABLES, with_tables

ROOT = Path(__file__).parent.parent
PACKAGE_XML = ET.parse(ROOT / "package.xml").getroot()
GUIDES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("[ms]*/README.md")))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

ROSDEP_KEYS = {
    "cv2": "python3-opencv",
    "numpy": "python3-numpy",
    "onnxruntime": "onnxruntime_vendor",
    "yaml": "python3-yaml",
}
"""Python module -> rosdep key, where they differ."""

DISTRIBUTIONS = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
"""Python module -> package on PyPI, where they differ."""


def third_party_imports(*directories: str) -> set[str]:
    """Modules that Python files under ``directories`` import, without the standard library's and our own."""
    found = set()
    for path in (path for directory in directories for path in (ROOT / directory).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    return found - sys.stdlib_module_names - {"_typeshed", "hmr_ros"}


def constraints() -> dict[str, str]:
    lines = (ROOT / "requirements/constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def requirement_files() -> set[str]:
    """Names in robot.txt and dev.txt, as constraints.txt spells them."""
    lines = [line for name in ("robot", "dev") for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines()]
    names = [re.split(r"[;\[ ]", line)[0] for line in lines if line and not line.startswith(("#", "-"))]
    return {name.lower().replace("_", "-") for name in names}


def asked(extra: str) -> dict[str, str]:
    """Requirements of an extra, of the package itself for "": name -> lowest version. Extras within it are followed."""
    lines: list[str] = PYPROJECT["optional-dependencies"][extra] if extra else PYPROJECT["dependencies"]
    found = {}
    for line in lines:
        name, options, lowest = re.fullmatch(r"([\w-]+)(?:\[([\w,-]+)\])?(?:>=([\d.]+))?", line).groups()
        if name == "hmr_ros":
            found |= {key: value for part in options.split(",") for key, value in asked(part).items()}
        else:
            found[name.lower()] = lowest
    return found


def changelog() -> list[str]:
    """Versions of CHANGELOG.rst, the newest first, without what is forthcoming."""
    return re.findall(r"^(\d+\.\d+\.\d+) \([\d-]+\)$", (ROOT / "CHANGELOG.rst").read_text(), re.MULTILINE)


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_one_version():
    assert PACKAGE_XML.findtext("version") == __version__
    assert changelog()[0] == __version__


@pytest.mark.filterwarnings("ignore:nodes.Node.traverse:DeprecationWarning")  # catkin_pkg calls it
def test_the_changelog_is_as_ros_release_tools_expect():
    """They read it with this parser, which takes sections whose heading is "VERSION (DATE)" or "Forthcoming"."""
    headings = re.findall(r"^(?:\d+\.\d+\.\d+ \(|Forthcoming)", (ROOT / "CHANGELOG.rst").read_text(), re.MULTILINE)
    parsed = pytest.importorskip("catkin_pkg.changelog").get_changelog_from_path(ROOT / "CHANGELOG.rst", "hmr_ros")
    assert len(list(parsed.foreach_version())) == len(headings)
    assert next(version for version, _, _ in parsed.foreach_version(reverse=True)) in (__version__, "Forthcoming")


@pytest.mark.parametrize("part", ["core", "ros"])
def test_the_map_of_a_large_package_names_every_module(part):
    words = re.findall(r"\w+", ast.get_docstring(ast.parse((ROOT / f"hmr_ros/{part}/__init__.py").read_text())) or "")
    modules = {path.stem for path in (ROOT / f"hmr_ros/{part}").glob("*.py")} - {"__init__"}
    assert sorted(modules - set(words)) == []


def test_package_xml_names_every_import_of_the_robot_column():
    """But those of recordings, which are read on other machines, too: the extra ``bag`` installs them."""
    declared = {element.text for element in PACKAGE_XML if element.tag in ("depend", "exec_depend")}
    imported = third_party_imports(*(f"hmr_ros/{part}" for part in ("core", "engines", "perception", "ros")), "launch")
    of_recordings = asked("bag").keys() | {"zstandard"}  # which mcap depends on
    assert {ROSDEP_KEYS.get(module, module) for module in imported} - declared - of_recordings == set()


def test_cmake_builds_every_message():
    listed = re.findall(r"msg/\w+\.msg", (ROOT / "CMakeLists.txt").read_text())
    assert sorted(listed) == sorted(f"msg/{path.name}" for path in (ROOT / "msg").iterdir())


def test_every_requirement_is_pinned():
    assert requirement_files() - constraints().keys() == set()


def test_pyproject_and_the_pins_agree():
    """The pins satisfy every requirement of the package and its extras."""
    pins = constraints()
    for extra in PYPROJECT["optional-dependencies"] | {"": PYPROJECT["dependencies"]}:
        for name, lowest in asked(extra).items():
            assert version(pins[name]) >= version(lowest), name


def test_dev_txt_installs_all_that_the_extra_dev_asks_for():
    assert asked("dev").keys() - requirement_files() == set()


def test_pip_installs_every_import_of_the_library():
    """Without extras: what finds and draws people in an image. ROS is not on PyPI; the launch files need it."""
    imported = third_party_imports("hmr_ros/core", "hmr_ros/engines", "hmr_ros/perception")
    assert {DISTRIBUTIONS.get(module, module) for module in imported} - asked("").keys() == set()


def test_the_extra_train_installs_every_import_of_networks_and_training():
    """timm is for those who bring their own backbone; its absence is reported when one is asked for."""
    imported = third_party_imports("hmr_ros/networks", "hmr_ros/training", "hmr_ros/export") - {"timm"}
    names = {DISTRIBUTIONS.get(module, module) for module in imported}
    assert names - asked("").keys() - asked("train").keys() == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_are_current(path: Path):
    document = path.read_text()
    assert set(re.findall(r"<!-- table: (\w+) -->", document)) <= set(TABLES)
    assert with_tables(document) == document, "run python -m hmr_ros.tools.readme_tables"


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_files_that_exist(path: Path):
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


CMAKE_STUB = """\
set(Python3_VERSION {python})
set(Python3_EXECUTABLE /usr/bin/python3)
set(PYTHON_INSTALL_DIR lib/python3/site-packages)
function(rosidl_generate_interfaces)
endfunction()
function(ament_export_dependencies)
endfunction()
function(ament_package)
endfunction()
"""
"""ROS 2 as CMakeLists.txt sees it, of a distribution whose message generator makes no Python target."""


def configured(python: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """The result of ``cmake`` on our CMakeLists.txt with the ROS 2 of ``CMAKE_STUB``, built for ``python``."""
    packages = ("ament_cmake", "ament_cmake_python", "geometry_msgs", "rosidl_default_generators", "std_msgs")
    for name in packages:
        (directory / f"{name}Config.cmake").write_text(CMAKE_STUB.format(python=python) if name == packages[0] else "")
    found = [f"-D{name}_DIR={directory}" for name in packages]
    command = ["cmake", "-S", str(ROOT), "-B", str(directory / "build"), "-DBUILD_TESTING=OFF", *found]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake: make test")
def test_a_ros_without_python_3_11_is_refused_at_configure_time(tmp_path: Path):
    done = configured("3.10.12", tmp_path)
    assert done.returncode != 0
    assert re.search(r"needs Python 3\.11 or newer.*3\.10\.12.*Jazzy or later", " ".join(done.stderr.split()))


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake: make test")
def test_a_message_generator_without_a_python_target_is_accepted(tmp_path: Path):
    done = configured("3.12.3", tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_robot_without_a_screen_needs_no_rviz():
    assert not [element.text for element in PACKAGE_XML if element.text and "rviz" in element.text]


def test_colcon_from_wheels_selects_packages():
    assert "colcon-package-selection" in requirement_files()


@pytest.fixture(scope="module")
def underlay() -> dict[str, str]:
    """The environment of a machine with ROS 2 sourced and nothing of ours."""
    prefix = Path(sys.prefix)
    if shutil.which("colcon") is None or not (prefix / "local_setup.bash").is_file():
        pytest.skip("needs colcon and ROS 2 from wheels: make test")
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return bash(f". {prefix}/local_setup.bash && env", prefix, clean)


def bash(script: str, directory: Path, environment: dict[str, str]) -> dict[str, str]:
    """Run ``script``; the NAME=VALUE lines it printed."""
    done = subprocess.run(["bash", "-c", script], cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@pytest.mark.parametrize("name", ["hmr", "hmr_node", "hmr_multi", "hmr_fuse", "hmr_player"])
def test_a_worker_process_imports_the_script_that_started_its_parent(name: str):
    """As multiprocessing's spawn does for `hmr run --workers`: nothing may start a second time."""
    script = Path(shutil.which("hmr") or "").parent.parent / "lib/hmr_ros" / name
    if not script.is_file():
        pytest.skip("needs the built workspace: make test")
    assert runpy.run_path(str(script), run_name="__mp_main__")["main"]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["", "--symlink-install"])
def test_a_workspace_build_is_complete(option: str, underlay: dict[str, str], tmp_path: Path):
    """As on a ROS machine: package in src/, plain colcon build, everything runs from the install space alone."""
    bash(f"colcon build {option} --packages-select hmr_ros --base-paths {ROOT}", tmp_path, underlay)
    used = bash(
        ". install/setup.bash && cd / && hmr --version >/dev/null && python -c 'import hmr_ros.msg\n"
        'from hmr_ros.core.manifest import models_dir; print(f"models={models_dir()}\\npackage={hmr_ros.__file__}")\'',
        tmp_path,
        underlay,
    )
    install = tmp_path / "install/hmr_ros"
    assert used["models"] == str(install / "share/hmr_ros/models")
    assert used["package"].startswith(str(install))
    assert all(os.access(install / "lib/hmr_ros" / name, os.X_OK) for name in ("hmr", "hmr_node", "hmr_player"))
    fraction = install / "share/hmr_ros"
    for directory in ("launch", "config", "models", "samples"):
        expected = {path.relative_to(ROOT) for path in (ROOT / directory).rglob("*") if path.is_file()}
        assert expected == {path.relative_to(fraction) for path in (fraction / directory).rglob("*") if path.is_file()}
