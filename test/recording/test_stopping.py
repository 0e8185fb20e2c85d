# SPDX-License-Identifier: Apache-2.0
import signal

import pytest

from hmr_ros.recording.stopping import Stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_and_the_second_an_interrupt(number):
    before = signal.getsignal(number)
    with Stopping() as stopping:
        assert not stopping.requested
        signal.raise_signal(number)
        assert stopping.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) == before
