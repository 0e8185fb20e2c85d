# SPDX-License-Identifier: Apache-2.0
"""People over time, as the robot publishes them: errors, lag and trembling at several frame rates, and forecasts."""
