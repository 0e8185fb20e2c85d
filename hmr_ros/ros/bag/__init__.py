# SPDX-License-Identifier: Apache-2.0
"""Recordings in place of the middleware: what the node receives is read from one, what it publishes is written to one.

Nothing here needs ROS. Messages are made by ``output`` and ``wire``, as the node's are.

recording       topics and messages of a recording, in the order in which they were recorded
opening         a file or directory -> a recording, by what it is: mcap_file, sqlite_file or ros1_bag
cameras         which image topics are read, and what belongs to each
inputs          calibration, depth and transforms by the time of an image
following       one camera's images -> bodies and their messages
replaying       the whole recording: messages in, images through the cameras, messages out
publishing      publishers that write to the result; diagnostics: the state of the run, once a second
result          the result, an mcap file; resuming: one that was interrupted
"""
