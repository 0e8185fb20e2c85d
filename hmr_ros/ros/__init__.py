# SPDX-License-Identifier: Apache-2.0
"""Everything that speaks ROS: the only package that imports it. Arithmetic is in ``core``.

Read from top to bottom as the data goes; each sub-package imports only those below it, and says itself what it holds.

player   a camera made from files or webcams, and subscribers that record or time what the node publishes
bag      recordings in place of the middleware: `hmr run my_bag`; needs no ROS
node     the processes ``hmr_node``, ``hmr_multi`` and ``hmr_fuse``: lifecycle, parameters, services, diagnostics, and
         the worker thread, which takes each image from input through ``perception`` to output
output   bodies -> topics: bodies, markers, meshes, TF, ROS4HRI, planners
input    topics -> images, calibration, depth and transforms
wire     messages as Python objects and as bytes, QoS, and which message packages are installed

``monitor.py`` counts what happens to images. ``input`` and ``node`` both write it, so it stands below both.

Threads: the executor's receives messages, serves parameters and services, and reports diagnostics; the worker's
processes images and publishes. They share the newest image (``input/slot.py``), the monitor and the configuration.
"""
