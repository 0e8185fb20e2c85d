# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.stats import ks_2samp

from hmr_ros.core.skeleton import COCO, COCO17, COCO_FEET, HUMAN36M, JOINT_SETS
from hmr_ros.training.synthetic import noise
from hmr_ros.training.synthetic.noise import (
    coco_noise,
    frame_scale,
    human36m_noise,
    synthetic_error,
)

STANDING = {
    "nose": (144, 40), "eye": (8, -6), "ear": (18, -2), "shoulder": (45, 50), "elbow": (62, 110), "wrist": (60, 165),
    "hip": (28, 170), "knee": (30, 260), "ankle": (30, 340),
}  # fmt: skip
SIGMAS = {"nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
          "knee": 0.087, "ankle": 0.089}  # fmt: skip


def standing(width=1.0):
    """COCO keypoints (17, 2) of a standing person; a small ``width`` brings each pair together (a side view)."""
    sign = [0] + [1, -1] * 8
    kinds = ["nose", *[k for k in list(STANDING)[1:] for _ in range(2)]]
    dx, dy = np.array([(0, 0) if k == "nose" else STANDING[k] for k in kinds]).T
    return np.stack([144 + width * np.array(sign) * dx, 40 + dy], 1).astype(np.float64)


def reference_coco_noise(pose, rng, n=500):
    """PoseFix's synthesis as its authors wrote it: joint by joint, a list of candidates per error class."""
    out = pose.copy()
    area = np.prod(np.ptp(pose, 0))
    for j, name in enumerate(COCO17.joints):
        kind, partner = name.split("_")[-1], COCO17.mirror[j]
        d = {ks: np.sqrt(-2 * area * (2 * SIGMAS[kind]) ** 2 * np.log(ks)) for ks in (0.1, 0.5, 0.85)}
        sources = [out[j].copy()] + ([out[partner].copy()] if partner != j else [])

        def candidates(source, low, high, count, clearance=None, sources=sources):
            angle, r = rng.uniform(0, 2 * np.pi, count), rng.uniform(low, high, count)
            points = sources[source] + np.stack([r * np.cos(angle), r * np.sin(angle)], 1)
            keep = np.ones(count, bool)
            for other in range(len(sources)):
                if other != source:
                    distance = np.linalg.norm(points - sources[other], axis=1)
                    keep &= distance > (r if clearance is None else clearance)
            return points[keep]

        jitter_p = {"nose": 0.1, "knee": 0.1, "ankle": 0.1, "hip": 0.2}.get(kind, 0.15)
        miss_p = 0.02 if j <= 4 else 0.05 if kind in ("shoulder", "ankle") else 0.1
        inversion_p = 0.01 if j <= 4 else 0.03 if j <= 10 else 0.06
        good_p = 1 - jitter_p - miss_p - inversion_p
        p = np.array([good_p, jitter_p, miss_p, inversion_p if len(sources) > 1 else 0])
        error = rng.choice(4, p=p / p.sum())
        if error == 0:
            points = candidates(0, 0, d[0.85], n // 4)
        elif error == 1:
            points = candidates(0, d[0.85], d[0.5], n)
        elif error == 2:
            points = candidates(0, d[0.5], d[0.1], 4 * n, d[0.5])
            if len(sources) > 1:
                around_partner = candidates(1, d[0.5], d[0.1], 4 * n, d[0.5])
                points = np.concatenate([points, rng.choice(around_partner, len(around_partner) // 4)])
        else:
            points = candidates(1, 0, d[0.5], n)
        out[j] = points[rng.integers(len(points))]
    return out


def assert_same_distribution(a, b, name):
    """Kolmogorov-Smirnov at 1 in 1,000 for the radial and both axis distributions of two point samples."""
    critical = 1.95 * np.sqrt(1 / len(a) + 1 / len(b))
    for measure in (lambda p: np.linalg.norm(p, axis=1), lambda p: p[:, 0], lambda p: p[:, 1]):
        assert ks_2samp(measure(a), measure(b)).statistic < critical, name


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 0.2])
def test_coco_noise_has_the_distribution_of_the_slow_reference(width):
    pose, rng = standing(width), np.random.default_rng(9)
    slow = np.stack([reference_coco_noise(pose, rng, n=40) for _ in range(1500)]) - pose
    fast = coco_noise(np.repeat(pose[None], 40_000, 0), rng) - pose
    middle = np.sqrt(-2 * np.prod(np.ptp(pose, 0)) * np.log(0.5))
    for j, name in enumerate(COCO17.joints):
        assert_same_distribution(slow[:, j], fast[:, j], name)
        limit = 2 * SIGMAS[name.split("_")[-1]] * middle
        far = [e[:, j][np.linalg.norm(e[:, j], axis=1) > limit] for e in (slow, fast)]  # misses and inversions
        assert_same_distribution(*far, name)


def test_coco_noise_keeps_the_published_shares():
    pose = np.repeat(standing()[None], 50_000, 0)
    area = np.prod(np.ptp(pose[0], 0))
    distance = np.linalg.norm(coco_noise(pose, np.random.default_rng(1)) - pose, axis=-1)
    elbow = COCO17.index("left_elbow")
    limit = 2 * SIGMAS["elbow"] * np.sqrt(-2 * area * np.log(0.85))
    assert (distance[:, elbow] < limit).mean() == pytest.approx(1 - 0.15 - 0.10 - 0.03, abs=0.01)
    nose = 2 * SIGMAS["nose"] * np.sqrt(-2 * area * np.log(0.85))
    assert (distance[:, 0] < nose).mean() == pytest.approx(0.87 / 0.99, abs=0.01)


def test_movenets_errors_are_as_frequent_as_measured_and_those_of_the_face_as_published():
    pose = np.repeat(standing()[None], 50_000, 0)
    area = np.prod(np.ptp(pose[0], 0))
    error = synthetic_error(pose, "coco17", None, np.random.default_rng(1), model="movenet") - pose
    distance = np.linalg.norm(error, axis=-1)
    measured = {"left_hip": 1 - 0.08 - 0.04 - 0.04, "right_ankle": 1 - 0.03 - 0.06 - 0.10, "nose": 0.87 / 0.99}
    for joint, good in measured.items():
        limit = 2 * SIGMAS[joint.split("_")[-1]] * np.sqrt(-2 * area * np.log(0.85))
        assert (distance[:, COCO17.index(joint)] < limit).mean() == pytest.approx(good, abs=0.01)


def test_human36m_noise_has_the_published_moments():
    error = human36m_noise(np.zeros((60_000, 17, 2)), np.random.default_rng(2))
    ankle = error[:, HUMAN36M.index("right_ankle")]
    changed = ankle[(ankle != 0).any(1)]
    assert len(changed) / len(ankle) == pytest.approx(0.93, abs=0.005)
    np.testing.assert_allclose(changed.mean(0), (0.52 * 288 / 256, -3.40 * 384 / 256), atol=0.05)
    np.testing.assert_allclose(changed.std(0), (1.39 * 288 / 256, 2.14 * 384 / 256), rtol=0.02)
    everywhere = error[:, HUMAN36M.index("pelvis")]
    assert (everywhere != 0).all()


def test_human36m_noise_treats_both_sides_of_the_body_alike():
    error = human36m_noise(np.zeros((20_000, 17, 2)), np.random.default_rng(2))
    wrong = (error != 0).any(-1).mean(0)
    assert np.abs(wrong - wrong[HUMAN36M.mirror]).max() < 0.04
    spread = error.std(0)
    np.testing.assert_allclose(spread, spread[HUMAN36M.mirror], rtol=0.3)


@pytest.mark.parametrize("name", ["human36m", "coco17", "coco", "coco_feet", "smpl"])
def test_errors_scale_with_the_person_and_repeat_with_the_seed(name):
    kp2d = np.random.default_rng(3).normal(200, 60, (50, JOINT_SETS[name].size, 2)).astype(np.float32)
    error = synthetic_error(kp2d, name, None, np.random.default_rng(4)) - kp2d
    twice = synthetic_error(2 * kp2d, name, None, np.random.default_rng(4)) - 2 * kp2d
    assert np.isfinite(error).all()
    assert np.abs(error).max() > 1
    np.testing.assert_allclose(twice, 2 * error, rtol=1e-3, atol=1e-2)
    assert synthetic_error(kp2d[:0], name, None, np.random.default_rng(4)).shape == (0, JOINT_SETS[name].size, 2)


def test_scale_px_sets_the_size_of_human36m_errors():
    kp2d = np.random.default_rng(3).normal(200, 60, (50, 17, 2)).astype(np.float32)
    own = synthetic_error(kp2d, "human36m", frame_scale(kp2d), np.random.default_rng(4)) - kp2d
    tripled = synthetic_error(kp2d, "human36m", 3 * frame_scale(kp2d), np.random.default_rng(4)) - kp2d
    np.testing.assert_allclose(tripled, 3 * own, atol=1e-3)


def test_frame_is_the_tight_box_padded_to_the_detector_input():
    wide = np.array([[[0, 0], [576, 10]]], np.float32)
    tall = np.array([[[0, 0], [10, 768]]], np.float32)
    np.testing.assert_allclose(frame_scale(np.concatenate([wide, tall])), [2, 2])


def test_midpoints_stay_clean_or_follow_the_erroneous_joints():
    kp2d = np.concatenate([standing(), np.zeros((2, 2))])[None].repeat(20, 0)
    parts = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
    index = {k: [COCO.index(j) for j in pair] for k, pair in parts.items()}
    for joint in parts:
        kp2d[:, COCO.index(joint)] = kp2d[:, index[joint]].mean(1)
    clean = synthetic_error(kp2d, "coco", None, np.random.default_rng(5))
    recomputed = synthetic_error(kp2d, "coco", None, np.random.default_rng(5), midpoints="recomputed")
    for joint in parts:
        k = COCO.index(joint)
        np.testing.assert_allclose(clean[:, k], kp2d[:, k], rtol=1e-6)
        np.testing.assert_allclose(recomputed[:, k], recomputed[:, index[joint]].mean(1), rtol=1e-6)
        assert np.abs(recomputed[:, k] - kp2d[:, k]).max() > 1


def test_strength_zero_is_the_truth():
    kp2d = np.random.default_rng(6).normal(200, 60, (400, 17, 2)).astype(np.float32)
    np.testing.assert_array_equal(coco_noise(kp2d, np.random.default_rng(7), strength=0), kp2d)
    np.testing.assert_array_equal(human36m_noise(kp2d, np.random.default_rng(7), strength=0), kp2d)


def test_strength_scales_distances_and_gross_errors():
    kp2d = np.repeat(standing(width=3)[None], 40_000, 0)
    full, half = (np.linalg.norm(coco_noise(kp2d, np.random.default_rng(7), s) - kp2d, axis=-1) for s in (1, 0.5))
    assert np.median(half) == pytest.approx(np.median(full) / 2, rel=0.1)
    wrist = COCO17.index("left_wrist")
    across = np.linalg.norm(kp2d[0, wrist] - kp2d[0, COCO17.mirror[wrist]])
    swapped = [(d[:, wrist] > 0.6 * across).mean() for d in (full, half)]  # farther than any miss around itself
    assert swapped[0] == pytest.approx(0.03 + 0.2 * 0.10, rel=0.15)  # inversions, and misses around the partner
    assert swapped[1] == pytest.approx(swapped[0] / 2, rel=0.15)
    kp2d = kp2d[:40]
    half = human36m_noise(kp2d, np.random.default_rng(7), strength=0.5) - kp2d
    full = human36m_noise(kp2d, np.random.default_rng(7)) - kp2d
    np.testing.assert_allclose(half, full / 2, atol=1e-4)


def test_coincident_pairs_end():
    kp2d = np.zeros((3, 17, 2))
    kp2d[:, 0] = 100  # every other joint in one point: the pair's clearance can hardly be kept
    assert np.isfinite(coco_noise(kp2d, np.random.default_rng(8))).all()


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"expected shape \(B, 17, 2\) for 'coco17', got \(3, 19, 2\)"):
        coco_noise(np.zeros((3, 19, 2)), np.random.default_rng(0))


def test_human36m_errors_on_other_joints_go_by_name(rng):
    pose = np.tile(rng.uniform(0, 300, (1, COCO_FEET.size, 2)), (20000, 1, 1))
    error = human36m_noise(pose, rng, joint_set=COCO_FEET) - pose
    names = list(COCO_FEET.joints)
    reference = human36m_noise(np.zeros((20000, 17, 2)), rng)
    for joint, same in {"left_knee": "left_knee", "left_ear": "nose", "right_toe": "right_ankle"}.items():
        expected = reference[:, HUMAN36M.index(same)]
        np.testing.assert_allclose(error[:, names.index(joint)].mean(0), expected.mean(0), atol=0.1)
        np.testing.assert_allclose(error[:, names.index(joint)].std(0), expected.std(0), rtol=0.05)


def test_whatever_draws_errors_names_a_wrong_shape(rng):
    for draw in (human36m_noise, lambda kp2d, rng: synthetic_error(kp2d, "human36m", None, rng)):
        for shape in ((3, 19, 2), (3, 17, 3), (17, 2)):
            with pytest.raises(ValueError, match=r"expected shape \(B, 17, 2\) for 'human36m'"):
                draw(np.zeros(shape), rng)
    with pytest.raises(ValueError, match=r"expected shape \(B, 21, 2\) for 'coco_feet'"):
        synthetic_error(np.zeros((3, 17, 2)), "coco_feet", None, rng)


def test_every_joint_errs_as_published_or_as_its_neighbour():
    """Means, deviations and probabilities of all rows of the table, in px of a 256 x 256 frame."""
    error = human36m_noise(np.zeros((40_000, 17, 2)), np.random.default_rng(5)) / (288 / 256, 384 / 256)
    for joint, (x, y, width, height, probability) in noise._HUMAN36M_ERROR.items():
        own = error[:, HUMAN36M.index(joint)]
        made = own[(own != 0).any(1)]
        assert len(made) / len(own) == pytest.approx(probability, abs=0.01), joint
        np.testing.assert_allclose(made.mean(0), (x, y), atol=0.06, err_msg=joint)
        np.testing.assert_allclose(made.std(0), (width, height), rtol=0.02, err_msg=joint)
    assert noise._HUMAN36M_ERROR["torso"] == (-0.05, 0.10, 1.36, 1.74, 0.99)


@pytest.mark.parametrize(
    ("joint", "like"),
    [("left_heel", "left_ankle"), ("right_toe", "right_ankle"), ("left_eye", "right_eye"), ("right_hip", "left_hip")],
)
def test_what_coco_does_not_define_errs_as_the_joint_beside_it(joint, like):
    table = noise.taxonomy(COCO_FEET)
    a, b = COCO_FEET.index(joint), COCO_FEET.index(like)
    for field in (table.inner, table.outer, table.probability):
        np.testing.assert_array_equal(field[a], field[b])


def test_smpls_joints_err_as_the_coco_joint_beside_them():
    smpl, coco = JOINT_SETS["smpl"], JOINT_SETS["coco17"]
    pairs = {"left_foot": "left_ankle", "right_hand": "right_wrist", "left_collar": "left_shoulder", "head": "left_ear"}
    pairs |= {"neck": "left_shoulder", "pelvis": "left_hip", "spine1": "left_hip", "spine3": "left_shoulder"}
    for joint, like in pairs.items():
        ours, theirs = smpl.index(joint), coco.index(like)
        np.testing.assert_array_equal(noise.taxonomy(smpl).outer[ours], noise.taxonomy(coco).outer[theirs])
    alone = noise.taxonomy(smpl).probability[smpl.index("pelvis")]
    np.testing.assert_allclose(alone, np.array([0.64, 0.2, 0.1, 0]) / 0.94, rtol=1e-6)


def test_what_is_left_open_stays_where_it_is(monkeypatch):
    """Nothing passes: after all rounds the joint is still true."""
    monkeypatch.setattr(noise, "_propose", lambda joints, rng: (joints.true + 1, np.zeros(len(joints.kind), bool)))
    pose = standing()[None]
    np.testing.assert_array_equal(coco_noise(pose, np.random.default_rng(0)), pose.astype(np.float32))


def test_candidates_are_drawn_for_the_open_joints_alone(monkeypatch):
    asked = []

    def propose(joints, rng):
        asked.append(len(joints.kind))
        return joints.true + 1, np.arange(len(joints.kind)) % 2 == 0

    monkeypatch.setattr(noise, "_propose", propose)
    moved = coco_noise(standing()[None], np.random.default_rng(0)) - standing()
    np.testing.assert_allclose(moved, 1, atol=1e-4)
    assert asked == [9, 4, 2, 1, 8, 4, 2, 1], "left joints and those alone, then right ones"
