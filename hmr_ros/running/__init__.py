# SPDX-License-Identifier: Apache-2.0
"""What `hmr run` does with the images that it was given, once its command line is read.

request: what is asked of an input
single: one input, in this process
progress: bars and lines on a terminal
"""
