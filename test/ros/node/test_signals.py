# SPDX-License-Identifier: Apache-2.0
import os
import signal
import time

import pytest

from hmr_ros.ros.node import signals
from hmr_ros.ros.node.signals import EndingSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_what_runs_ends_by_itself(number: int):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with EndingSignals() as ending:
        assert not ending.came
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C reaches some processes twice
        assert ending.came
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_lasts_is_interrupted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signals, "_PATIENCE_S", 0.05)

    def callback() -> None:
        with EndingSignals():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        callback()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
