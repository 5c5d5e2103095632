"""Runs nerfstudio's commands again and again in forked children: all is imported once, a run takes about a second.

Reads one JSON object a line, {"command": "ns-train", "arguments": [...], "folder": "where it runs, and what it prints
and has in its hands goes", "seconds": limit}, and answers each with {"code": exit status}. Forks only before torch or
numba have started threads, which no child survives.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import cv2  # noqa: F401
import gsplat  # noqa: F401
import torch
from nerfstudio.scripts import eval as evaluation
from nerfstudio.scripts import exporter, render, train

from tokengs_nerfstudio.core.rendering import numba_backend  # noqa: F401
from tokengs_nerfstudio.datamanager import SceneDataManager
from tokengs_nerfstudio.pipeline import TokenGSPipeline

_COMMANDS = {"ns-train": train, "ns-eval": evaluation, "ns-render": render, "ns-export": exporter}


def held(data: SceneDataManager) -> dict[str, Any]:
    """What a run really uses: photos, masks and cameras of both splits."""
    everything = range(len(data.train_dataset))
    views = data.views(everything, *data.supervised_size()).select(everything)  # those on disk are read
    cameras = data.eval_dataset.cameras
    return {
        "names": data.names(everything),
        "images": views.images,
        "masks": views.masks,
        "c2w": views.c2w,
        "intrinsics": views.intrinsics,
        "times": views.times,
        "train_files": [str(path.resolve()) for path in data.train_dataset.image_filenames],
        "eval_files": [str(path.resolve()) for path in data.eval_dataset.image_filenames],
        "held_out": data.num_held_out,
        "eval_images": [data.eval_dataset.get_data(index, "uint8")["image"] for index in range(len(data.eval_dataset))],
        "eval_c2w": cameras.camera_to_worlds,
        "eval_focal": cameras.fx,
        "scale": data.train_dataparser_outputs.dataparser_scale,
        "transform": data.train_dataparser_outputs.dataparser_transform,
    }


def run(command: str, arguments: list[str], folder: Path, seconds: int) -> int:
    """In a child: the command as a user calls it; returns its exit status."""
    for stream, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
    signal.alarm(seconds)
    os.chdir(folder)
    sys.argv = [command, *arguments]
    begin = TokenGSPipeline.begin

    def observed(pipeline: TokenGSPipeline, *given: Any, **named: Any) -> None:
        begin(pipeline, *given, **named)
        torch.save(held(pipeline.datamanager), folder / "held.pt")

    TokenGSPipeline.begin = observed
    try:
        _COMMANDS[command].entrypoint()
    except SystemExit as end:  # as Python ends by it
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            status = run(asked["command"], asked["arguments"], Path(asked["folder"]), asked["seconds"])
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), file=answers)
    os._exit(0)  # imports have left threads that nobody has to wait for


if __name__ == "__main__":
    main()
