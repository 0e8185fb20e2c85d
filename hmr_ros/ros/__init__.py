# SPDX-License-Identifier: Apache-2.0
"""The node and all else that speaks ROS, which no other package of ours imports. Arithmetic is in core.

Processes
    node: ``hmr_node`` and its lifecycle; cameras: ``hmr_multi``, several of them; player: ``hmr_player``, with sources
    (files, webcams) and calibration (a CameraInfo for them); process: how any of these begins and ends; launching: what
    the launch files share.
While the node is active
    operation: inputs, outputs and the worker together; worker: the thread from the newest image (slot) to the messages
    about it; latency: its budget.
What the node is told and tells of itself
    params, qos: parameters; services; monitor: what happens to images; diagnostics: what is said of it; log_bridge.
In
    inputs: what the camera publishes, by subscriptions that take what is offered: images, with image_size;
    camera_info, with camera_model; depth. frame_listener: TF.
Out
    outputs: who gets what of an image; publishers: how they are made; interfaces: messages that may not be installed;
    fixed_frames: people in other frames. For ROS4HRI: humans, with tracked (the list of everybody) and human_messages.
    For planners: planning, with navigation (nav2) and collision_objects (MoveIt).
Messages as bytes
    messages: the typed ones, which are the reference; cdr: reading and writing fields; template: messages whose numbers
    are renewed; writers and transforms: the messages of every image.
Listening to the node, for tools
    recorder: for ``hmr demo``; stopwatch: for ``hmr bench ros``; session: ROS around them.
"""
