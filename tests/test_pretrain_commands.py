"""The way of a network through the real commands: trained, evaluated, tuned on a scene."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made.captures import write_blobs

from tokengs_nerfstudio.trainer import newest_checkpoint

REPOSITORY = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
# What an installation's entry point says; nerfstudio reads it here too, so that a checkout needs none.
METHOD = "tokengs-pretrain=tokengs_nerfstudio.configs:tokengs_pretrain"


def command(name: str, *arguments: object, cwd: Path) -> str:
    environment = {"PYTHONPATH": str(REPOSITORY), "NERFSTUDIO_METHOD_CONFIGS": METHOD, "COLUMNS": "300"}
    environment |= {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
    words = [str(COMMANDS / name), *map(str, arguments)]
    done = subprocess.run(words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_commands_train_evaluate_and_hand_on_the_weights(tmp_path):
    tiny = ("--pipeline.datamanager.batches.scenes", 2, "--pipeline.datamanager.batches.side", 16)
    where = ("--output-dir", tmp_path / "outputs", "--timestamp", "run", "--viewer.quit-on-train-completion", "True")
    steps = ("--max-num-iterations", 2, "--pipeline.datamanager.held-out", 2)
    said = command("ns-train", "tokengs-pretrain", *where, *steps, *tiny, cwd=tmp_path)
    assert "2 held-out scenes" in said
    run = tmp_path / "outputs/unnamed/tokengs-pretrain/run"
    command("ns-eval", "--load-config", run / "config.yml", "--output-path", tmp_path / "eval.json", cwd=tmp_path)
    assert json.loads((tmp_path / "eval.json").read_text())["results"]["held_out_scenes"] == 2
    weights = ("--pipeline.model.checkpoint", run / "network.safetensors", "--max-num-iterations", 2)
    data = ("--data", write_blobs(tmp_path / "scene", height=64, width=80))
    command("ns-train", "tokengs", *data, *where, *weights, cwd=tmp_path)
    assert newest_checkpoint(tmp_path / "outputs/scene/tokengs/run").name == "step-000000001.ckpt"
