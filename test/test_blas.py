# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest

_THREADS = "import os, sys; print(os.environ.get('OPENBLAS_NUM_THREADS'), 'numpy' in sys.modules)"


def _threads_after(code: str, **environment: str) -> str:
    """OPENBLAS_NUM_THREADS of a process that has run ``code``, and whether it has imported numpy by then."""
    code = f"{code}\n{_THREADS}"
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()[-1]


@pytest.mark.parametrize("code", ["import hmr_ros.ros.node", "from hmr_ros import cli\ncli._prepare('run')"])
def test_our_own_processes_keep_linear_algebra_in_one_thread(code: str):
    assert _threads_after(code) == "1 False"


def test_the_choice_of_the_user_stays():
    assert _threads_after("import hmr_ros.ros.node", OPENBLAS_NUM_THREADS="3") == "3 False"


@pytest.mark.parametrize("code", ["import hmr_ros.perception", "from hmr_ros import cli\ncli._prepare('train')"])
def test_processes_of_others_and_training_keep_theirs(code: str):
    assert _threads_after(code).startswith("None")
