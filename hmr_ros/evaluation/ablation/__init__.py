# SPDX-License-Identifier: Apache-2.0
"""The ablation of Global-to-Pixel: the same training with one part of the method left out."""
