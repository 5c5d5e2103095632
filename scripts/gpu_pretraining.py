"""A pretraining that ends at a given time, in bfloat16, and its weights and log in files small enough to carry.

It is `tokengs-pretrain` with scenes from processes of their own (`--pool.makers`), without the command's parser.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

import torch
from gpu_options import add_training_options

from tokengs_nerfstudio.commands.pretrain import Pretraining, Run
from tokengs_nerfstudio.core import TokenGSNetwork, save_network
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.pool import PoolConfig
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources

PIECE = 15 * 2**20
MOST_PIECES = 4
"""Of the eight files that may be carried, two are the report's and two are the log and the list of pieces."""


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


def configured(options: argparse.Namespace, folder: Path) -> Pretraining:
    """The run that the options describe, from now to `options.until`."""
    dry = options.dry_run
    textures, photos = options.textures, options.photos
    # Exposures from dark to bright; what has been learned need not begin with easy scenes.
    meshes = MeshSceneConfig(
        MeshSources(options.meshes, textures, photos),
        moving=options.moving,
        brightness=(0.08, 0.58),
        tracer=options.tracer,
    )
    procedural = ProceduralCurriculumConfig(meshes=meshes, easy=(0.0, 0.0), solids=0.05)
    batches = BatchConfig(
        scenes=options.batch, context=(2, 8), side=options.side, late=options.late, late_sides=tuple(options.late_sides)
    )
    training = TrainingConfig(
        learning_rate=options.rate, matrix_rate=options.matrix_rate, ema=options.ema, chunk=options.batch
    )
    return Pretraining(
        output=folder,
        preset=options.preset,
        start=options.start,
        hours=max(options.until - time.time(), 2.0) / 3600,
        device="cpu" if dry else "cuda",
        precision="bf16",
        graphs=bool(options.graphs),
        save_every=100.0,
        evaluate_every=500,
        held_out=2 if dry else options.held_out,
        seed=options.seed,
        data=tuple(options.data or ()),
        training=training,
        batches=batches,
        procedural=procedural,
        captures=CapturesConfig(share=options.share),
        pool=PoolConfig(makers=options.makers, fewest=2 if dry else options.batch),
    )


def fuse(network: TokenGSNetwork) -> None:
    """Have torch.compile make few kernels of many, for any shape of batch: minutes when they come first."""
    for block in (*network.encoder, *network.decoder):
        block.compile(dynamic=True)


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
    parser.add_argument("--dry-run", action="store_true", help="on the CPU")
    add_training_options(parser)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(configured(options, Path(scratch)))
        if options.compiled:
            fuse(run.training.network)
        run.train()
        export(run.training.averaged, Path(scratch), options.output)
        last = json.loads((Path(scratch) / "log.jsonl").read_text().splitlines()[-1])
    figures = {"steps": last["step"], "examples": last["scenes"], "scenes_made": last["made"]}
    print(json.dumps({**figures, "seconds": last["seconds"], "held_out_psnr": last["held_out_psnr"]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
