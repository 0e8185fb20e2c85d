# SPDX-License-Identifier: Apache-2.0
"""Small BVH files for tests: a CMU-like skeleton (MotionBuilder's names) of our own numbers."""

import numpy as np

PARENT = {
    "Hips": None, "LowerBack": "Hips", "Spine": "LowerBack", "Spine1": "Spine", "Neck": "Spine1", "Neck1": "Neck",
    "Head": "Neck1",
}  # fmt: skip
OFFSET = {
    "Hips": (0, 0, 0), "LowerBack": (0, 1, 0), "Spine": (0, 2, -0.2), "Spine1": (0, 2, 0), "Neck": (0, 2, 0),
    "Neck1": (0, 1.5, 0.2), "Head": (0, 1.5, -0.2),
}  # fmt: skip
for _side, _sign in (("Left", 1), ("Right", -1)):
    _chain = {
        "UpLeg": ("Hips", (1.6, -1.7, 0.8)), "Leg": ("UpLeg", (2.5, -6.9, 0)), "Foot": ("Leg", (2.6, -7.1, 0)),
        "ToeBase": ("Foot", (0.2, -0.6, 2.1)),
        "Shoulder": ("Spine1", (0.3, 1.2, 0)), "Arm": ("Shoulder", (3.3, 0.8, 0)),
        "ForeArm": ("Arm", (4.8, -0.2, -0.1)), "Hand": ("ForeArm", (3.4, 0.1, 0)),
    }  # fmt: skip
    for _joint, (_parent, (_x, _y, _z)) in _chain.items():
        PARENT[_side + _joint] = _parent if _parent in PARENT else _side + _parent
        OFFSET[_side + _joint] = (_sign * _x, _y, _z)


def write_bvh(path, angles, position=None, parent=PARENT, offset=OFFSET, fps=120.0, prefix=""):
    """``angles`` (T, J, 3) degrees about Z, Y, X in the order of ``parent``; returns the joint names in file order."""
    order, lines = [], ["HIERARCHY"]

    def visit(joint, depth):
        order.append(joint)
        pad = "  " * depth
        lines.append(f"{pad}{'JOINT' if depth else 'ROOT'} {prefix}{joint}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}  OFFSET {' '.join(map(str, offset[joint]))}")
        position_channels = "" if depth else "Xposition Yposition Zposition "
        lines.append(f"{pad}  CHANNELS {3 if depth else 6} {position_channels}Zrotation Yrotation Xrotation")
        children = [c for c in parent if parent[c] == joint]
        for child in children:
            visit(child, depth + 1)
        if not children:
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 0 1", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    visit(next(iter(parent)), 0)
    index = [list(parent).index(j) for j in order]
    position = np.zeros((len(angles), 3)) if position is None else position
    rows = np.concatenate([position, angles[:, index].reshape(len(angles), -1)], 1)
    lines += ["MOTION", f"Frames: {len(angles)}", f"Frame Time: {1 / fps:.9f}"]
    lines += [" ".join(f"{v:.9f}" for v in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return order


def smooth_angles(frames, joints, scale=20.0, seed=0):
    """(T, J, 3) degrees that wander slowly."""
    rng = np.random.default_rng(seed)
    phase, rate = rng.uniform(0, 2 * np.pi, (2, 1, joints, 3))
    return scale * np.sin(phase + rate * np.arange(frames)[:, None, None] / 60)
