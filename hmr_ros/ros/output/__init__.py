# SPDX-License-Identifier: Apache-2.0
"""What the node publishes about each image.

outputs             all publishers, and the order of the messages about one image
publishing          what outputs ask of whatever carries their messages
publishers          how the node does it: publishers come and go while it is active
person_frames       names of people's frames in TF; shared: what the cameras of a process have in common
lifetimes           how long markers stay in RViz
humans              ROS4HRI's topics (REP-155) of each person; tracked: the list of all people
human_messages      their messages as objects: the reference; human_writers: the same as bytes
planning            what planners get, and when a person is removed from it
navigation          points and people for nav2; collision_objects: people in MoveIt's planning scene
"""
