"""The training of a network over many scenes: one step, its optimizers and its state.

`Trainer` knows nothing of data sets or of the length of a run: each call of `step` gets a batch and how far the run
has come. `scripts/pretrain.py` drives it; so can any other loop.
"""

import math
import os
import pickle
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokengs_nerfstudio.core.losses import LossConfig, SceneLosses, depth_error, reconstruction_loss
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.muon import Muon
from tokengs_nerfstudio.core.network import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.schedule import one_cycle
from tokengs_nerfstudio.core.training_batch import TrainingBatch
from tokengs_nerfstudio.core.types import Gaussians, Renders

STATE_FORMAT = "tokengs training state 1"


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is optimised."""

    learning_rate: float = 1e-3
    """highest learning rate of the one-cycle schedule"""
    matrix_rate: float = 0.02
    """highest learning rate of Muon on the matrices inside the blocks; 0 leaves them to AdamW"""
    warmup: float = 0.03
    """share of the run until the learning rate is highest"""
    start_divisor: float = 25.0
    """the learning rate starts at the highest one divided by this"""
    end_divisor: float = 25_000.0
    """and ends at the highest one divided by this"""
    betas: tuple[float, float] = (0.9, 0.95)
    """decay rates of Adam's moments"""
    weight_decay: float = 0.05
    """decoupled decay of matrices; vectors, the Gaussian head, tokens and latents are spared"""
    clip: float = 1.0
    """largest norm of the gradient of all parameters"""
    ema: float = 0.998
    """decay of the averaged weights, which are what is evaluated and shipped; shorter averages at the start"""
    near: float = 0.025
    """near plane of the supervised renders, in the canonical frame"""
    far: float = 125.0
    """far plane"""
    background: float = 0.5
    """grey behind the Gaussians"""
    chunk: int = 8
    """scenes rendered at a time; the gradient is that of the whole batch"""
    patience: int = 10
    """steps in a row whose loss or gradient is not finite before training stops"""
    depth: float = 0.1
    """weight of the error in the logarithm of the rendered depth, where batches bring exact depth"""
    loss: LossConfig = field(default_factory=lambda: LossConfig(visibility=0.5))


@dataclass(frozen=True)
class StepReport:
    """What one step did: total loss and parts, norm of the gradient before clipping, learning rate, was it skipped."""

    losses: dict[str, float]
    gradient_norm: float
    learning_rate: float
    skipped: bool


class TrainingDiverged(RuntimeError):
    """Several steps in a row had a loss or a gradient that is not finite."""


class Trainer:
    """A network, its averaged twin and its optimizers.

    With `workers` above 1 that many threads each take a share of the batch's scenes through network, renderer and
    loss, every one with torch's current number of threads. On CPUs set that number to 1: threads that meet once a step
    lose far less to other processes than threads that meet in every matrix product. The gradient is the same sum.
    """

    def __init__(self, network: TokenGSNetwork, config: TrainingConfig, workers: int = 1) -> None:
        self.network, self.config = network, config
        self.averaged = _twin(network, shared=False).eval().requires_grad_(False)
        self.optimizers = optimizers(network, config)
        self.steps, self.skipped, self._bad_in_row = 0, 0, 0
        self._replicas = [network, *(_twin(network, shared=True) for _ in range(workers - 1))]
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="training") if workers > 1 else None

    def step(self, batch: TrainingBatch, progress: float) -> StepReport:
        """One optimizer step on `batch`, at `progress` in [0, 1] of the run.

        A step whose loss or gradient is not finite changes nothing but the counters. TrainingDiverged after
        `config.patience` of them in a row.
        """
        rate = self._set_learning_rate(progress)
        losses = self._accumulate(batch)
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip))
        sound = math.isfinite(norm) and math.isfinite(losses["loss"])
        if sound:
            self._update()
        self.network.zero_grad(set_to_none=True)
        self._count(sound, losses["loss"], norm)
        return StepReport(losses=losses, gradient_norm=norm, learning_rate=rate, skipped=not sound)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, batch aside: a plain dictionary for `torch.save`."""
        return {
            "format": STATE_FORMAT,
            "architecture": asdict(self.network.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": torch.get_rng_state(),
            "counters": {"steps": self.steps, "skipped": self.skipped, "bad_in_row": self._bad_in_row},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`; ValueError where it belongs to another architecture."""
        ours = asdict(self.network.config)
        theirs = state["architecture"]
        different = [f"{k}: {theirs.get(k)} there, {ours[k]} here" for k in ours if theirs.get(k) != ours[k]]
        if different:
            raise ValueError(
                f"the training state is of another network ({'; '.join(different)}); use another output folder"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        if len(state["optimizers"]) != len(self.optimizers):
            raise ValueError(
                f"the training state has {len(state['optimizers'])} optimizers, not {len(self.optimizers)}"
            )
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        torch.set_rng_state(state["random"])
        counters = state["counters"]
        self.steps, self.skipped, self._bad_in_row = counters["steps"], counters["skipped"], counters["bad_in_row"]

    def _set_learning_rate(self, progress: float) -> float:
        config = self.config
        share = one_cycle(progress, config.warmup, config.start_divisor, config.end_divisor)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = share * (config.matrix_rate if isinstance(optimizer, Muon) else config.learning_rate)
        return config.learning_rate * share

    def _accumulate(self, batch: TrainingBatch) -> dict[str, float]:
        """Gradients of the mean loss over the batch into the parameters; the losses as numbers."""
        total = batch.num_scenes
        shares = [batch.scenes(slice(i, total, len(self._replicas))) for i in range(min(len(self._replicas), total))]
        jobs = list(zip(self._replicas, shares))
        if self._pool is None:
            results = [scene_gradients(replica, share, self.config, total) for replica, share in jobs]
        else:
            futures = [self._pool.submit(scene_gradients, *job, self.config, total) for job in jobs]
            results = [future.result() for future in futures]
        for replica, _ in jobs[1:]:
            _move_gradients(replica, self.network)
        return {name: sum(result[name] for result in results) for name in results[0]}

    def _update(self) -> None:
        if self._pool is None:
            for optimizer in self.optimizers:
                optimizer.step()
        else:
            list(self._pool.map(lambda optimizer: optimizer.step(), self.optimizers))
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)

    def _count(self, sound: bool, loss: float, norm: float) -> None:
        self.steps += 1
        if sound:
            self._bad_in_row = 0
            return
        self.skipped += 1
        self._bad_in_row += 1
        if self._bad_in_row >= self.config.patience:
            raise TrainingDiverged(
                f"{self._bad_in_row} steps in a row were not finite (loss {loss}, gradient norm {norm}), the last one "
                f"step {self.steps}; the weights are those of step {self.steps - self._bad_in_row}. Lower the learning "
                "rate or look at the data"
            )


def optimizers(network: TokenGSNetwork, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the matrices of encoder, latent and decoder blocks and AdamW for the rest."""
    groups = parameter_groups(network, config.weight_decay)
    if config.matrix_rate <= 0:
        return [torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)]
    inner: set[int] = set()
    result: list[torch.optim.Optimizer] = []
    for blocks in (network.encoder, network.latent_blocks, network.decoder):
        matrices = [p for p in blocks.parameters() if p.ndim == 2]
        inner |= {id(p) for p in matrices}
        if matrices:
            result.append(Muon(matrices, lr=config.matrix_rate, weight_decay=config.weight_decay))
    groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in inner]
    return [torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas), *result]


def parameter_groups(network: TokenGSNetwork, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with weight decay; vectors, the Gaussian head, tokens and latents without."""
    spared = {id(parameter) for parameter in network.head.parameters()}
    spared |= {id(p) for p in (network.tokens, network.dynamic_tokens, network.latents) if p is not None}
    decayed = [p for p in network.parameters() if p.ndim > 1 and id(p) not in spared]
    others = [p for p in network.parameters() if p.ndim <= 1 or id(p) in spared]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def scene_gradients(
    network: TokenGSNetwork, batch: TrainingBatch, config: TrainingConfig, total_scenes: int
) -> dict[str, float]:
    """Add to the parameters the gradient of this batch's share in the mean loss over `total_scenes`.

    Gaussians are predicted once; scenes are rendered in chunks, which leave their gradients on the Gaussians, and one
    backward pass takes them through the network: memory of one chunk, gradient of the whole batch. Returns the losses'
    shares in their means.
    """
    splats = predict(network, batch)
    leaves = splats.leaves()
    sums: dict[str, float] = {}
    for start in range(0, batch.num_scenes, config.chunk):
        chunk = slice(start, start + config.chunk)
        losses = supervised_loss(leaves[chunk], batch.scenes(chunk), config)
        (losses.per_scene.sum() / total_scenes).backward()
        scenes = len(losses.per_scene)
        for name, value in losses.means().items():
            sums[name] = sums.get(name, 0.0) + value * scenes / total_scenes
    reached = list(_reached(splats, leaves))
    torch.autograd.backward([output for output, _ in reached], [gradient for _, gradient in reached])
    return sums


@torch.no_grad()
def novel_view_psnr(
    network: TokenGSNetwork, batch: TrainingBatch, config: TrainingConfig
) -> Float[Tensor, "batch view"]:
    """PSNR in dB of every target view of the batch, scenes taken in chunks."""
    results = []
    for start in range(0, batch.num_scenes, config.chunk):
        part = batch.scenes(slice(start, start + config.chunk))
        renders = render_targets(predict(network, part), part, config)
        results.append(psnr(renders.rgb, part.target.images))
    return torch.cat(results)


def predict(network: TokenGSNetwork, batch: TrainingBatch) -> Gaussians:
    """Gaussians of every scene; a network that embeds time decodes at the time of the scene's first target."""
    times = batch.target.times
    return network.decode(network.encode(batch.context), time=None if times is None else times[:, 0])


def render_targets(splats: Gaussians, batch: TrainingBatch, config: TrainingConfig, depth: bool = False) -> Renders:
    """The batch's target views."""
    target = batch.target
    cameras, size = (target.c2w, target.intrinsics), (target.width, target.height)
    return render(splats, *cameras, *size, config.near, config.far, background=config.background, depth=depth)


def supervised_loss(splats: Gaussians, batch: TrainingBatch, config: TrainingConfig) -> SceneLosses:
    """Render the batch's targets and compare."""
    deep = config.depth > 0 and batch.depth is not None
    renders = render_targets(splats, batch, config, depth=deep)
    losses = reconstruction_loss(renders, batch.target, splats, config.loss)
    if renders.depth is None or batch.depth is None:
        return losses
    error = depth_error(renders.depth, batch.depth)
    return SceneLosses(losses.per_scene + config.depth * error, {**losses.parts, "depth": error})


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state so that `path` holds the old or the new one whole, whenever the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def read_state(path: Path) -> dict[str, Any]:
    """A state written by `save_state`; FileNotFoundError where there is none, ValueError where it is something else."""
    if not path.is_file():
        raise FileNotFoundError(f"no training state {path}")
    try:
        if not zipfile.is_zipfile(path):  # the directory at a zip file's end is the first thing a truncation takes
            raise ValueError("not a whole zip file")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is truncated or no training state ({error}); move it away to start anew") from error
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        found = state.get("format", "no format") if isinstance(state, dict) else type(state).__name__
        raise ValueError(f"{path} is no '{STATE_FORMAT}' ({found}); move it away to start anew")
    return state


def _reached(splats: Gaussians, leaves: Gaussians) -> Iterator[tuple[Tensor, Tensor]]:
    """Each predicted tensor with the gradient its detached twin received."""
    for entry in fields(splats):
        gradient = getattr(leaves, entry.name).grad
        if gradient is not None:
            yield getattr(splats, entry.name), gradient


def _twin(network: TokenGSNetwork, shared: bool) -> TokenGSNetwork:
    """The same network with gradients of its own; with `shared`, over the same memory of weights."""
    with torch.device("meta"):
        twin = TokenGSNetwork(network.config)
    twin.precision = network.precision
    weights = network.state_dict()
    twin.load_state_dict(weights if shared else {name: w.clone() for name, w in weights.items()}, assign=True)
    return twin.train(network.training)


def _move_gradients(source: nn.Module, destination: nn.Module) -> None:
    for taken, kept in zip(source.parameters(), destination.parameters()):
        if taken.grad is None:
            continue
        kept.grad = taken.grad if kept.grad is None else kept.grad.add_(taken.grad)
        taken.grad = None
