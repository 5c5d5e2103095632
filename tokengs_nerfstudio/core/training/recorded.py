"""A network that is replayed: on CUDA, small steps wait for Python to launch its thousands of kernels."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokengs_nerfstudio.core.network.inputs import EncoderInputs
from tokengs_nerfstudio.core.network.memory import DecodedStages
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.types import Views

Record = TypeVar("Record", bound=TensorRecord)

RECORDED_FROM = 3
"""How often a shape has come when it is recorded, which takes as long as some steps."""
_LEAST_FREE = 0.2
"""Share of the device's memory that recordings leave free."""


class Recorded:
    """`network` for the training step: of shapes that come often, its way there and back are CUDA graphs.

    Called as the network is. What it returns, and the gradients that go from there into the parameters, lie in memory
    that the next call writes to: one call, its backward pass and the update, then the next. A recording is made within
    `alone`, which keeps all others off the device meanwhile.
    """

    def __init__(self, network: TokenGSNetwork, alone: AbstractContextManager[object] | None = None) -> None:
        self.network, self._alone = network, nullcontext() if alone is None else alone
        self._came: Counter[object] = Counter()
        self._stages: dict[object, _Stages] = {}
        self._pool: Any = None
        self.recordings = 0
        """how many shapes are replayed"""

    def __call__(
        self, context: Views, time: Float[Tensor, " batch"] | None = None, after: Sequence[int] = ()
    ) -> DecodedStages:
        """As `TokenGSNetwork.forward` with `after`."""
        photos = Views(context.images, context.c2w, context.intrinsics, times=context.times)
        inputs, times = self.network.inputs(photos), () if time is None else (time,)
        given = (*(tensor for record in (inputs, photos) for _, tensor in record.tensors()), *times)
        shape = (tuple(after), len(times), *(tensor.shape for tensor in given))
        self._came[shape] += 1
        if shape not in self._stages:
            self._stages[shape] = _Stages(self.network, _empty(inputs), _empty(photos), tuple(after))
        if self._came[shape] == RECORDED_FROM and _has_room(given[0].device):
            self._record(self._stages[shape], given)
        return self._stages[shape].of(given)

    def _record(self, stages: "_Stages", given: Sequence[Tensor]) -> None:
        with self._alone:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            own = tuple(tensor.clone() for tensor in given)  # which every replay writes what it is given to
            torch.cuda.make_graphed_callables(stages, own, allow_unused_input=True, pool=self._pool)
            self.recordings += 1


class _Stages(nn.Module):
    """From tensors alone to tensors alone, for one shape of them: what can be recorded."""

    def __init__(self, network: TokenGSNetwork, inputs: EncoderInputs, photos: Views, after: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self._inputs, self._photos, self._after = network, inputs, photos, after
        self._found: DecodedStages | None = None

    def of(self, given: Sequence[Tensor]) -> DecodedStages:
        """The decoded stages of these tensors: those of the inputs, of the photos, and the target times, if any."""
        found = iter(self(*given))
        assert self._found is not None  # forward has been there, if only to be recorded
        return self._found.map(lambda _: next(found))

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        left = iter(given)
        inputs, photos = self._inputs.map(lambda _: next(left)), self._photos.map(lambda _: next(left))
        stages = self.network.decode_stages(self.network.memory_of(inputs, photos), self._after, time=next(left, None))
        self._found = _empty(stages)
        return tuple(tensor for _, tensor in stages.tensors())


def _empty(record: Record) -> Record:
    """The record without what is in its tensors."""
    return record.map(lambda tensor: torch.empty_like(tensor, device="meta"))


def _has_room(device: torch.device) -> bool:
    free, total = torch.cuda.mem_get_info(device)
    return free > _LEAST_FREE * total
