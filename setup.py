"""For pip: training and tools on a machine without ROS. On a robot, colcon installs the package (CMakeLists.txt)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "hmr_ros/__init__.py").read_text()).group(1)
TRAIN = [
    "numba>=0.61",
    "onnx>=1.17",
    "onnxscript>=0.5",
    "opencv-python-headless>=4.8",
    "scipy>=1.11",
    "torch>=2.6",
    "tqdm>=4.66",
]

setup(
    name="hmr_ros",
    version=VERSION,
    description="Metric human body meshes for ROS 2",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["hmr_ros", "hmr_ros.*"]),
    package_data={"hmr_ros": ["py.typed"]},
    data_files=[("share/hmr_ros/models", [str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("models/*"))])],
    install_requires=["numpy>=1.26", "onnxruntime>=1.17", "opencv-python-headless>=4.8", "pyyaml>=6"],
    extras_require={
        "train": TRAIN,
        "smplx": ["smplx>=0.1.28"],
        "gpu": ["cuda-bindings>=12.6"],  # and tensorrt of JetPack, or tensorrt-rtx (docs/gpu.md)
        "convert": ["onnx>=1.17", "tflite>=2.18"],
    },
    entry_points={"console_scripts": ["hmr = hmr_ros.cli:main"]},
)
