# SPDX-License-Identifier: Apache-2.0
"""Evaluation on people that training never saw: `hmr evaluate` and `hmr calibrate`.

``protocol`` defines the errors; ``case`` is what is evaluated, ``predictor`` what is evaluated on it; ``synthetic`` and
``annotated`` evaluate on synthetic and on annotated people; ``report`` and ``comparison`` summarise. For covariances:
``residuals``, ``covariance_fit``, ``coverage``, ``drift``.
"""
