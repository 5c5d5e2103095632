"""A pretraining that ends at a given time, in bfloat16, and its weights and log in files small enough to carry.

Scenes are made by many threads: the one that `tokengs-pretrain` uses, beside a step on the CPU, would keep a GPU
waiting.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import torch
from gpu_options import add_scene_options

from tokengs_nerfstudio.commands.pretrain import Pretraining, Run
from tokengs_nerfstudio.core import TokenGSNetwork, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources

PIECE = 15 * 2**20
MOST_PIECES = 4
"""Of the eight files that may be carried, two are the report's and two are the log and the list of pieces."""

T = TypeVar("T")


class AheadOfTime(Generic[T]):
    """make(number) for numbers that are asked for one after another, each made ahead by one of `threads` threads."""

    def __init__(self, make: Callable[[int], T], threads: int) -> None:
        self._make, self._ahead, self._waiting = make, threads + 2, dict[int, Future[T]]()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scenes")

    def __call__(self, number: int) -> T:
        for later in range(number, number + self._ahead):
            if later not in self._waiting:
                self._waiting[later] = self._pool.submit(self._make, later)
        return self._waiting.pop(number).result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def made_by_many(make: Callable[[int], T], first: int, threads: int) -> Generator[T, None, None]:
    """make(first), make(first + 1), ... without end; closing the iterator stops the threads."""
    ahead = AheadOfTime(make, threads)
    try:
        while True:
            yield ahead(first)
            first += 1
    finally:
        ahead.close()


class FedRun(Run):
    """A pretraining in bfloat16 whose batches are made by many threads."""

    def __init__(self, config: Pretraining, makers: int) -> None:
        super().__init__(config)
        for network in (self.training.network, self.training.averaged):
            network.precision = "bf16"
        self._ahead = AheadOfTime(super()._batch, makers)

    def _batch(self, number: int) -> Example:
        return self._ahead(number)

    def train(self) -> None:
        try:
            super().train()
        finally:
            self._ahead.close()


def write_pieces(file: Path, folder: Path, size: int = PIECE, most: int = MOST_PIECES) -> dict[str, object]:
    """`file` in pieces of at most `size` bytes, and their list `<name>.json`; joined by: cat NAME.0* > NAME

    ValueError where there would be more than `most`.
    """
    content = file.read_bytes()
    starts = range(0, len(content), size)
    if len(starts) > most:
        raise ValueError(f"{file.name} has {len(content):,} bytes: more than {most} pieces of {size:,}")
    names = [f"{file.name}.{number:02d}" for number in range(len(starts))]
    for name, start in zip(names, starts):
        (folder / name).write_bytes(content[start : start + size])
    listed: dict[str, object] = {
        "file": file.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "pieces": names,
        "join": f"cat {file.name}.0* > {file.name}",
    }
    (folder / f"{file.name}.json").write_text(json.dumps(listed, indent=1))
    return listed


def trained(options: argparse.Namespace, folder: Path) -> FedRun:
    """A run until `options.until`, its length known once scenes can be made: their kernels are compiled first."""
    batches = BatchConfig(scenes=options.batch)
    sources = MeshSources(options.meshes, options.textures)
    procedural = ProceduralCurriculumConfig(meshes=MeshSceneConfig(sources))
    if options.start is not None:  # what has been learned need not begin with easy scenes
        procedural = replace(procedural, easy=(0.0, 0.0))
    Batches(procedural.source(), PRESETS[options.preset], batches).batch(0, 1.0)
    device = "cpu" if options.dry_run else "cuda"
    torch.zeros(1, device=device)
    hours = max(options.until - time.time(), 2.0) / 3600
    config = Pretraining(
        output=folder, preset=options.preset, hours=hours, device=device, save_every=60.0, evaluate_every=200,
        held_out=2 if options.dry_run else 32, batches=batches, procedural=procedural, start=options.start,
    )  # fmt: skip
    run = FedRun(config, options.makers)
    run.train()
    return run


def export(averaged: TokenGSNetwork, folder: Path, output: Path) -> None:
    """The averaged weights with matrices in bfloat16 and the log, each at most so large as can be carried."""
    weights = folder / "network.compact.safetensors"
    save_network(averaged, weights, compact=True)
    write_pieces(weights, output)
    log = folder / "log.jsonl"
    if log.stat().st_size <= PIECE:
        shutil.copyfile(log, output / log.name)
    else:
        lines = log.read_text().splitlines(keepends=True)
        every = -(-log.stat().st_size // PIECE)
        (output / log.name).write_text("".join(lines[every - 1 :: every]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the pieces and of log.jsonl")
    parser.add_argument("--until", type=float, required=True, help="end of the training, in seconds since 1970")
    parser.add_argument("--preset", default="tiny", choices=["tiny", "small"])
    parser.add_argument("--batch", type=int, default=16, help="scenes in a step of four context views of 64x64")
    parser.add_argument("--makers", type=int, default=12, help="threads that make scenes")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU")
    add_scene_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = trained(options, Path(scratch))
        export(run.training.averaged, Path(scratch), options.output)
        last = json.loads((Path(scratch) / "log.jsonl").read_text().splitlines()[-1])
    print(json.dumps({"steps": last["step"], "seconds": last["seconds"], "held_out_psnr": last["held_out_psnr"]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
