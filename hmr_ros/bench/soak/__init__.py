# SPDX-License-Identifier: Apache-2.0
"""The node for an hour with everything that happens to it: does it last? ``make soak`` (docs/reliability.md).

crowd_node      the node as users run it, with a scripted detector in place of its networks
scene           the images: which people are in them
camera          a camera that is unplugged, sends broken images and has a wrong clock
watch           a subscriber: ids, latencies, diagnostics
world           all of these in one graph, and the clients of the node's services
events          what happens, and what diagnostics are to say
script          one event after the other, and whether each was reported and overcome
endurance       the hour: camera, events and samples of memory, descriptors and threads
verdict         slopes, goals and the report; curve: the drawing
"""
