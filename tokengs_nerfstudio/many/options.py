"""What `tokengs-reconstruct` can be told, and what of it decides the results."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

import tokengs_nerfstudio
from tokengs_nerfstudio.core.checkpoint.registry import USUAL
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import TokenCount
from tokengs_nerfstudio.core.network.tokengs import Precision
from tokengs_nerfstudio.core.ranges import Count, NotEmpty, Positive, Range, Seed, Whole
from tokengs_nerfstudio.core.tuning.budget import free_memory
from tokengs_nerfstudio.core.tuning.config import TuningConfig

Device = Literal["cuda", "cpu"]

# What a worker holds in main memory: nerfstudio, the weights, photos of an ordinary capture.
_WORKER_MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Plan:
    """What is done with every capture; everything that decides a result but the capture itself."""

    checkpoint: str = USUAL
    """weights: a registered name, a .safetensors file, or hf://owner/repo/path"""
    steps: Whole | None = None
    """tuning steps; 0 for what the network predicts. If not set as many as the time of each capture has room for"""
    seconds: Positive | None = None
    """time of each capture, from its photos to its files; if not set --tuning.seconds. Results by time depend on the
    machine: give --steps for the same everywhere"""
    tokens: TokenCount | None = None
    """number of tokens; if not set that of the weights"""
    context: Count | None = None
    """photos that the encoder sees; if not set as many as the weights were trained with"""
    max_image_size: Annotated[int, Range(16)] = 512
    """longer side of the photos that supervise, in pixels"""
    precision: Precision = "fp32"
    """arithmetic of encoder and decoder"""
    antialiased: bool = False
    """tune and measure antialiased, as --pipeline.model.rasterize-mode antialiased does"""
    tuning: TuningConfig = field(default_factory=TuningConfig)
    """everything else about the tuning"""
    seed: Seed = 42
    """as --machine.seed of ns-train"""
    pictures: Whole = 3
    """pictures of so many held-out photos beside what is rendered"""
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    """where to tune"""

    def identity(self, weights: str) -> dict[str, Any]:
        """What decides a result, in plain values; `weights` is a digest of these."""
        versions = {"tokengs_nerfstudio": tokengs_nerfstudio.__version__, "torch": torch.__version__}
        return {**asdict(self), "checkpoint": weights, "versions": versions}


@dataclass(frozen=True, kw_only=True)
class Reconstructing(Plan):
    """Reconstruct any number of captures, each as `ns-train tokengs` does. The same command goes on where it was."""

    captures: Annotated[tuple[Path, ...], NotEmpty(), tyro.conf.Positional]
    """captures (folders with a transforms.json, or such files), scenes of data sets, folders of captures, and .txt
    files that list any of these, one a line"""
    out: Path
    """folder of the results, one folder a capture"""
    processes: Count | None = None
    """workers; if not set one a GPU, without GPUs one a core as far as memory goes. On Ray as many as fit"""
    threads: Count | None = None
    """threads of each worker; if not set the cores shared out among the workers, on Ray 1. With another number of
    threads the last bits of results may differ, from which tunings grow apart"""
    retries: Whole = 2
    """how often a capture that failed is tried again before it is set aside"""
    ray: str | None = None
    """address of a Ray cluster: HOST:PORT, auto for the one that this machine belongs to, local for one of its own"""
    gpus: Annotated[float, Range(0, 1, above=True)] = 1.0
    """share of a GPU that each worker on Ray takes"""

    def __post_init__(self) -> None:
        if self.device == "cuda" and self.ray is None and not torch.cuda.is_available():
            raise UserError("--device is cuda, but torch finds no CUDA device here; use cpu")

    @property
    def plan(self) -> Plan:
        """What every worker has to know."""
        return Plan(**{name: getattr(self, name) for name in Plan.__dataclass_fields__})


def workers_here(options: Reconstructing, captures: int) -> tuple[int, int]:
    """How many worker processes this machine gets, and the threads of each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if options.processes is not None:
        count = options.processes
    elif options.device == "cuda":
        count = torch.cuda.device_count()
    else:
        count = min(cores, _that_fit() or cores)
    count = max(1, min(count, captures))
    return count, options.threads or max(1, cores // count)


def _that_fit() -> int | None:
    free = free_memory(torch.device("cpu"))
    return None if free is None else max(1, free // _WORKER_MEMORY)
