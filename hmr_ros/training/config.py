# SPDX-License-Identifier: Apache-2.0
"""The settings of a training run: one TOML file, one dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field

from hmr_ros.core.settings import setting, validate
from hmr_ros.networks.compact_pose2mesh import CompactConfig
from hmr_ros.networks.fusion import FusionConfig
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.hand_pose2mesh import HandPose2MeshConfig
from hmr_ros.networks.hand_pose2mesh_paper import HandPaperConfig
from hmr_ros.networks.pose2mesh import Pose2MeshConfig
from hmr_ros.training.data_config import DataConfig
from hmr_ros.training.global_to_pixel_loss import GlobalToPixelLossConfig
from hmr_ros.training.heatmap_loss import HeatmapLossConfig
from hmr_ros.training.losses import LossConfig
from hmr_ros.training.synthetic.hands import HandMix
from hmr_ros.training.synthetic.images import ImageMix
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.people import PeopleMix
from hmr_ros.training.synthetic.sequences import SequenceMix


@dataclass(frozen=True)
class StageConfig:
    """One stage of training: how long, and how its optimiser steps."""

    steps: int = setting(20_000, doc="optimiser steps; 0 skips the stage", low=0)
    batch_size: int = setting(512, doc="samples per step", low=2)
    optimiser: str = setting("adamw", doc="rmsprop is the paper's", choices=("adamw", "rmsprop"))
    learning_rate: float = setting(1e-3, doc="at its highest", low=0)
    weight_decay: float = setting(0.01, doc="of adamw", low=0)
    schedule: str = setting("cosine", doc="multistep drops by gamma at the milestones", choices=("cosine", "multistep"))
    warmup: int = setting(500, doc="steps of linear rise at the start", low=0)
    milestones: tuple[float, ...] = setting(
        (0.8,), doc="where multistep drops, as fractions of the stage", low=0, high=1
    )
    gamma: float = setting(0.1, doc="factor of each drop", low=0, high=1)
    epochs: int = setting(15, doc="parts the stage is counted in, by the paper's edge loss, which starts late", low=1)
    clip: float = setting(1.0, doc="largest gradient norm; 0: no limit", low=0)


@dataclass(frozen=True)
class RunConfig:
    """Where a run reads, writes and reports."""

    motion: str = setting(
        "motion.npz", doc="motion file (docs/motion_format.md); empty: none, where data sets have a weight"
    )
    body: str = setting("", doc="body model .npz in SMPL's schema; empty: the shipped open body")
    seed: int = setting(0, doc="of samples and initial weights", low=0)
    workers: int = setting(1, doc="processes that make samples; 0: the training process itself", low=0)
    device: str = setting("auto", doc="where to train; auto: on a GPU if there is one", choices=("auto", "cpu", "cuda"))
    threads: int = setting(0, doc="CPU threads of the training process; 0: PyTorch's default", low=0)
    bfloat16: bool = setting(True, doc="hidden layers in bfloat16 where the processor has it: twice as fast there")
    compile: bool = setting(
        False, doc="compile the network by torch.compile: on a GPU with Triton, on a CPU with a C++ compiler"
    )
    start: str = setting(
        "",
        doc="best.pt, or .json of an exported network, of the same recipe, whose weights a new run starts from; empty: "
        "random weights",
    )
    mean_with: tuple[str, ...] = setting(
        (), doc="best.pt of runs that started from it; a new run starts from the mean of their weights and its"
    )
    lifting: str = setting(
        "",
        doc="best.pt or .onnx of compact Pose2Mesh, whose lifting network a run of it or of Global-to-Pixel starts "
        "from; empty: random weights",
    )
    local_stage: str = setting(
        "",
        doc="best.pt or .onnx of Global-to-Pixel whose local stage a new run starts from, with its lifting network and "
        "mean pose; whatever reads images starts from random weights. Empty: random weights",
    )
    accumulate: int = setting(
        1, doc="batches whose gradients a step averages: for larger ones than fit into the memory", low=1
    )
    ema: float = setting(0.999, doc="decay of the averaged weights that are validated and exported", low=0, high=1)
    log_every: int = setting(100, doc="steps between log lines", low=1)
    validate_every: int = setting(2000, doc="steps between validations and checkpoints", low=1)
    validation_people: int = setting(2000, doc="people per validation", low=1)


@dataclass(frozen=True)
class CropConfig:
    """How Global-to-Pixel's crops are cut, and what it learns of them."""

    shards: str = setting("", doc="directory of rendered images (hmr render); empty: render while training")
    backbone: float = setting(0.0, doc="fraction of the learning rate for the backbone; 0: frozen", low=0)
    trunk: float = setting(
        1.0,
        doc="in the stage trunk, fraction of the learning rate for MoveNet's own layers; 0: only the head of heels and "
        "toes is trained",
        low=0,
    )
    lifting_fraction: float = setting(
        0.0, doc="fraction of the learning rate for a lifting network that is given; 0: frozen", low=0
    )
    local_fraction: float = setting(
        1.0,
        doc="in the stage of images, fraction of the learning rate for what corrects by keypoints alone; 0: frozen",
        low=0,
    )
    box_scale: float = setting(0.15, doc="largest error of a box's size", low=0, high=0.25)
    box_shift: float = setting(0.05, doc="largest error of a box's position, box heights", low=0, high=0.2)
    flip: float = setting(0.5, doc="fraction of mirrored images", low=0, high=1)
    roll: float = setting(0.0, doc="largest rotation of an image, degrees", low=0, high=180)
    light: float = setting(0.0, doc="largest change of an image's brightness, as a fraction", low=0, high=0.9)
    noise: float = setting(0.0, doc="largest standard deviation of added noise, 0..255", low=0, high=100)
    frozen_stride: int = setting(
        0, doc="the backbone's layers up to this stride stay frozen; movenet_thunder only", choices=(0, 4, 8, 16, 32)
    )
    photos: str = setting(
        "", doc="directory of photos of people, on which movenet_thunder is held to what it said of them; empty: none"
    )
    labels: str = setting(
        "",
        doc="labels of people in photos beside them, in COCO's keypoint format: validations say how many joints are "
        "missed there, and best.pt has few; empty: none",
    )
    photos_per_step: int = setting(4, doc="crops of them in each step", low=1)
    without_image: float = setting(
        4.0, doc="people without an image that are trained on beside each one with, in the stage of images", low=0
    )
    without_keypoints: float = setting(0.2, doc="fraction of people in images without keypoints", low=0, high=1)
    own_keypoints: float = setting(
        0.0,
        doc="fraction of people, in the stage local, who are those of the shards, with the keypoints that the backbone "
        "finds; it looks at all of them once, when the stage begins",
        low=0,
        high=1,
    )


@dataclass(frozen=True)
class WindowConfig:
    """Which windows the fusion over time is trained on, and for what."""

    lifted: str = setting("lifted", doc="directory of lifted sequences; those that are missing are made")
    estimator: str = setting("", doc="manifest (.json) of the Pose2Mesh that lifts them; empty: the shipped one")
    chunks: int = setting(40, doc="files of 64 sequences to train on", low=1)
    validation_chunks: int = setting(4, doc="files of 64 sequences to validate on", low=1)
    still: float = setting(
        0.3, doc="fraction of runs whose camera is taken to stand still, as without TF", low=0, high=1
    )
    acceleration: float = setting(1.0, doc="weight of the error of second differences, beside that of joints", low=0)
    motion: float = setting(1.0, doc="weight of the error that does not last, more where joints are fast", low=0)
    behind: float = setting(
        1.0, doc="weight of how far joints are behind on their way, more where they are fast", low=0
    )
    forecast: float = setting(0.15, doc="weight of the error of forecasts", low=0)


@dataclass(frozen=True)
class SeenHandConfig:
    """Rendered hands as the detector sees them, beside those of ``hand_mix``, whose errors are drawn."""

    directory: str = setting(
        "", doc="directory whose train and val `hmr render-hands` wrote; empty: errors are drawn for all hands"
    )
    fraction: float = setting(0.6, doc="fraction of a batch that is rendered hands", low=0, high=1)
    blind: float = setting(0.25, doc="fraction of them without the detector's own 3D", low=0, high=1)


@dataclass(frozen=True)
class FreiHandConfig:
    """What Pose2Mesh on hands as published is trained on."""

    directory: str = setting(
        "", doc="directory of FreiHAND in its official layout (docs/hands.md); empty: open hands, drawn by hand_mix"
    )
    hand: str = setting(
        "",
        doc="right hand .npz in MANO's schema that FreiHAND's parameters belong to (hmr convert-smpl); empty: the "
        "shipped open hand",
    )
    errors: str = setting("synthetic", doc="of the 2D joints that are trained on", choices=("synthetic", "none"))


@dataclass(frozen=True)
class TrainConfig:
    """Everything ``hmr train`` needs."""

    recipe: str = setting(
        "compact",
        doc="compact: compact Pose2Mesh, the shipped one; paper: Pose2Mesh as published; global_to_pixel; fusion: of "
        "lifted poses over time; hands: Pose2Mesh on hands in its small form; hands_paper: as published; "
        "hands_pixel: Global-to-Pixel on hands",
        choices=("compact", "paper", "global_to_pixel", "fusion", "hands", "hands_paper", "hands_pixel"),
    )
    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    people: PeopleMix = field(default_factory=PeopleMix)
    keypoints: KeypointMix = field(default_factory=KeypointMix)
    compact: CompactConfig = field(default_factory=CompactConfig)
    paper: Pose2MeshConfig = field(default_factory=Pose2MeshConfig)
    paper_loss: LossConfig = field(default_factory=LossConfig)
    global_to_pixel: GlobalToPixelConfig = field(default_factory=GlobalToPixelConfig)
    global_to_pixel_loss: GlobalToPixelLossConfig = field(default_factory=GlobalToPixelLossConfig)
    hands: HandPose2MeshConfig = field(default_factory=HandPose2MeshConfig)
    hands_paper: HandPaperConfig = field(default_factory=HandPaperConfig)
    freihand: FreiHandConfig = field(default_factory=FreiHandConfig)
    hand_mix: HandMix = field(default_factory=HandMix)
    seen_hands: SeenHandConfig = field(default_factory=SeenHandConfig)
    heatmap_loss: HeatmapLossConfig = field(default_factory=HeatmapLossConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    image_mix: ImageMix = field(default_factory=ImageMix)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    sequences: SequenceMix = field(default_factory=SequenceMix)
    windows: WindowConfig = field(default_factory=WindowConfig)
    lift: StageConfig = field(default_factory=StageConfig)
    mesh: StageConfig = field(default_factory=StageConfig)
    local: StageConfig = field(default_factory=StageConfig)
    trunk: StageConfig = field(default_factory=lambda: StageConfig(steps=0))
    merge: StageConfig = field(default_factory=lambda: StageConfig(steps=0))
    images: StageConfig = field(default_factory=StageConfig)
    fuse: StageConfig = field(default_factory=StageConfig)

    def __post_init__(self) -> None:
        validate(self)
        if self.recipe == "paper" and self.run.lifting:
            raise ValueError("run.lifting: Pose2Mesh as published has another lifting network; leave it empty")
        if self.run.start and (self.run.lifting or self.run.local_stage):
            raise ValueError("run.start: it holds the whole network; leave run.lifting and run.local_stage empty")
        if self.trunk.steps and self.global_to_pixel.backbone != "movenet_thunder":
            raise ValueError(
                f"trunk.steps: expected 0 for the backbone {self.global_to_pixel.backbone!r}, got {self.trunk.steps}; "
                "movenet_thunder alone has heatmaps to train"
            )
        if self.merge.steps and not self.global_to_pixel.merge:
            raise ValueError(f"merge.steps: expected 0 without global_to_pixel.merge, got {self.merge.steps}")
