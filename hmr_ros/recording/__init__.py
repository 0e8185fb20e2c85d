# SPDX-License-Identifier: Apache-2.0
"""Bodies as files: what `hmr run` leaves of the images that it was given. No ROS.

entry: one image with its bodies, and the protocol of what writes them
json_lines: bodies.jsonl, a line per image
arrays: bodies.npz, flat arrays
overlays: images and videos with the meshes drawn on them
meshes: .glb and .obj files
directory: where they go, and what was there before
process: source -> pipeline -> writers
tally: what a run came to
"""
