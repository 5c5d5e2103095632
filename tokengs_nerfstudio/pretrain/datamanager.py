"""The scenes of a pretraining as nerfstudio's data manager."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import tyro
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.datamanagers.base_datamanager import DataManager, DataManagerConfig
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset
from nerfstudio.data.utils.dataloaders import FixedIndicesEvalDataloader

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.ranges import Count, NotNegative, Whole
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples import source_of
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig


@dataclass
class PretrainDataManagerConfig(DataManagerConfig):
    """What is trained with, and what is kept for evaluation."""

    _target: type = field(default_factory=lambda: PretrainDataManager)
    batches: BatchConfig = field(default_factory=BatchConfig)
    """Scenes, views and sizes of a step"""
    data: Path | None = None
    """Folder of captures (folders with a transforms.json), of DL3DV, RealEstate10K or Kubric 4D. If not set:
    procedural scenes."""
    more_data: tuple[Path, ...] = ()
    """Further such folders."""
    weights: tuple[NotNegative, ...] = ()
    """How often batches come from each of the folders, that of --data first. If not set: equally often."""
    procedural: ProceduralCurriculumConfig = field(default_factory=ProceduralCurriculumConfig)
    """The scenes without --data, and those beside it where captures.share is below 1"""
    captures: CapturesConfig = field(default_factory=CapturesConfig)
    """The scenes with --data"""
    held_out: Count = 32
    """Scenes of the evaluation."""
    shown: Whole = 0
    """Which of them the viewer shows."""

    # What nerfstudio's own data manager needs and has no meaning here.
    masks_on_gpu: tyro.conf.Suppress[bool] = False
    images_on_gpu: tyro.conf.Suppress[bool] = False

    def contradiction(self) -> tuple[str, str] | None:
        """See `core.ranges.Related`."""
        beyond = self.shown >= self.held_out
        return ("shown", f"is {self.shown}; {self.held_out} scenes are held out, counted from 0") if beyond else None


class ViewsDataset(InputDataset):
    """Views of one scene as nerfstudio sees images on disk."""

    def __init__(self, views: Views, name: str) -> None:
        files = [Path(f"{name}-{index:03d}.png") for index in range(views.num_views)]
        super().__init__(DataparserOutputs(files, _nerfstudio_cameras(views)))
        self._pixels = (255 * views.images.movedim(-3, -1)).round().byte().cpu().numpy()

    @property
    def outputs(self) -> DataparserOutputs:
        """What a dataparser would have said of these images."""
        return self._dataparser_outputs

    def get_numpy_image(self, image_idx: int) -> npt.NDArray[np.uint8]:
        """Pixels [H W 3]."""
        return self._pixels[image_idx]


def _nerfstudio_cameras(views: Views) -> Cameras:
    k = views.intrinsics.cpu()
    return Cameras(
        camera_to_worlds=bridge.nerfstudio_poses(views.c2w.cpu()),
        fx=k[:, 0, 0].contiguous(),
        fy=k[:, 1, 1].contiguous(),
        cx=k[:, 0, 2].contiguous(),
        cy=k[:, 1, 2].contiguous(),
        width=views.width,
        height=views.height,
        camera_type=CameraType.PERSPECTIVE,
    )


class PretrainDataManager(DataManager):
    """The batches of a run and its held-out scenes; one of these is nerfstudio's scene, its context the train split."""

    config: PretrainDataManagerConfig

    def __init__(
        self,
        config: PretrainDataManagerConfig,
        network: NetworkConfig,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.config = config
        roots = (*(() if config.data is None else (config.data,)), *config.more_data)
        source = source_of(roots, config.weights, config.procedural, config.captures, config.batches.context[1])
        self.batches = Batches(source, network, config.batches, seed)
        self.held_out = self.batches.held_out(config.held_out)
        shown = self.shown.squeeze()
        context, target = ViewsDataset(shown.context, "context"), ViewsDataset(shown.target, "target")
        self.train_dataset, self.eval_dataset = context, target
        self.train_dataparser_outputs = context.outputs
        self.fixed_indices_eval_dataloader = FixedIndicesEvalDataloader(target, device=device)

    @property
    def shown(self) -> Example:
        """The scene of the viewer, in the world frame, as a batch of one."""
        return self.held_out[self.config.shown : self.config.shown + 1]

    def next_eval_image(self, step: int) -> tuple[Cameras, dict[str, Any]]:
        """A target view of the shown scene, each step another."""
        return self.fixed_indices_eval_dataloader.get_camera(
            step % len(self.fixed_indices_eval_dataloader.image_indices)
        )

    def next_eval(self, step: int) -> tuple[Cameras, dict[str, Any]]:
        """As `next_eval_image`."""
        return self.next_eval_image(step)

    def get_train_rays_per_batch(self) -> int:
        """Pixels of one image: the viewer shares time out by it."""
        return self.held_out.context.height * self.held_out.context.width

    def get_datapath(self) -> Path:
        """Where camera paths are saved."""
        return Path() if self.config.data is None else self.config.data
