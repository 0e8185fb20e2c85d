# SPDX-License-Identifier: Apache-2.0
"""One person, several cameras: what cameras in one world see -> people of that world, each once.

``observation`` carries one camera's bodies into the world, ``matching`` says who of two cameras is the same person,
``person`` filters each of them, ``offsets`` follows the errors of the cameras' poses, ``agreement`` finds cameras whose
pose is wrong, ``pose`` fuses poses and shapes, and ``fuser`` puts them together.
"""
