# SPDX-License-Identifier: Apache-2.0
"""Messages and how they travel: the ground floor of ``ros``.

messages    bodies -> messages as Python objects: the reference for the writers; markers: those for RViz
writers     the same messages as bytes, many times faster; transforms: TF of all people
template    a serialised message whose numbers are patched; cdr: the encoding itself, images and meshes
types       the message classes: ROS's, or stand-ins (standins) of definitions (schemas); encoding: objects as bytes
qos         QoS overrides and mismatches; transport: Fast DDS's settings for large messages
interfaces  which message packages are installed; endpoints: who publishes a topic
"""
