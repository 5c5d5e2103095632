"""The photos of a run that begins: which of them the encoder sees, which supervise, and at what size."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.core.fingerprint import Fingerprint
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.checkup import warnings
from tokengs_nerfstudio.datamanager import SceneDataManager
from tokengs_nerfstudio.model import TokenGSModel
from tokengs_nerfstudio.run_content import RunContent

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPhotos:
    """Photos of a datamanager, by their positions in its train split, and as they were read."""

    data: SceneDataManager
    context: list[int]
    supervised: list[int]
    example: Example
    """what the network sees and what the tuning compares with, in nerfstudio's world with OpenCV axes"""

    @classmethod
    def read(
        cls, data: SceneDataManager, network: NetworkConfig, context_alone: bool, before: Sequence[str] | None
    ) -> "RunPhotos":
        """Chosen and read. The context is that of a run `before`, by names, unless the options ask for another; with
        `context_alone` it supervises by itself. What is odd about the photos is said.

        ValueError or FileNotFoundError for photos that are not there or cannot be used.
        """
        if before is None or data.context_is_asked_for:
            context = data.choose_context(network.num_context)
        else:
            context = data.positions(before)
        supervised = context if context_alone else list(range(len(data.train_dataset)))
        views = data.views(supervised, *data.supervised_size(), background=network.background)
        for finding in warnings(views, [Path(name).name for name in data.names(supervised)], network):
            _log.warning(str(finding))
        seen = views.select([supervised.index(position) for position in context])
        return cls(data, context, supervised, Example(seen, views))

    def content(self, network: TokenGSNetwork, model: TokenGSModel) -> RunContent:
        """What a run of the model, which has begun with these photos, was made of."""
        data, views = self.data, self.example.target
        return RunContent.of(
            {
                "checkpoint": model.weights_name(),
                "context": data.names(self.context),
                "supervised": len(self.supervised),
                "size": [views.height, views.width],
            },
            data.get_datapath(),
            data.train_dataparser_outputs,
            model.running_tuning().corrected(self.example.context),
            model.near_far,
            Fingerprint.of(network, model.prepared_scene(), views, data.names(self.supervised)),
        )

    def report(self, network: TokenGSNetwork, reading: float, encoding: str) -> list[str]:
        """What a person wants to know of it all, which took so many seconds to read and so long to be encoded."""
        names, views = [Path(name).name for name in self.data.names(self.context)], self.example.target
        return [
            f"Context: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}",
            f"{network.num_gaussians:,} Gaussians from {len(names)} views and {network.num_tokens} tokens in "
            f"{encoding} (photos and weights read in {reading:.1f} s); tuning is supervised by {len(self.supervised)} "
            f"photos of {views.width}x{views.height}, {self.data.num_held_out} photos are held out",
        ]
