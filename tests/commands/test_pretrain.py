import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.meshes import small_pack
from made.runs import WSD, interrupted, logged, losses, options
from made.training import write_captures

from tokengs_nerfstudio.commands.pretrain import Run, main
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.state import STATE_FORMAT, read_state, save_state
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("small_preset", "threads")


@pytest.fixture
def captures(tmp_path) -> Path:
    return write_captures(tmp_path / "captures")


def test_precision_is_that_of_training_and_evaluation_and_weights_stay_exact(tmp_path):
    run = Run(options(tmp_path, steps=1, precision="bf16"))
    assert run.training.network.precision == run.training.averaged.precision == "bf16"
    run.train()
    assert load_network(tmp_path / "network.safetensors").tokens.dtype == torch.float32
    assert Run(options(tmp_path, steps=2, precision="fp32")).training.network.precision == "fp32"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_goes_on_in_the_precision_that_it_had(tmp_path, precision):
    """Timed anew the machine might choose another one, and the losses would be others."""
    Run(options(tmp_path, steps=1, precision=precision)).train()
    again = Run(options(tmp_path, steps=2, precision="auto"))
    assert again.training.network.precision == again.training.averaged.precision == precision
    cooled = Run(options(tmp_path / "cooled", cooldown=tmp_path / "state.pt", precision="auto"))
    assert cooled.training.network.precision == precision


def test_a_run_leaves_averaged_weights_a_log_and_a_state(tmp_path, capsys):
    run = Run(options(tmp_path))
    run.train()
    assert set(logged(tmp_path)) == set(range(1, 7))
    assert all(
        {"loss", "depth", "gradient", "rate", "seconds", "scenes", "scenes_per_second"} <= set(line)
        for line in logged(tmp_path).values()
    )
    assert [step for step, line in logged(tmp_path).items() if "held_out_psnr" in line] == [4, 6]
    network = load_network(tmp_path / "network.safetensors")
    assert network.config == replace(PRESETS["tiny"], num_context=4)
    assert torch.equal(network.tokens, run.training.averaged.tokens)
    assert read_state(tmp_path / "state.pt")["counters"]["steps"] == 6
    said = capsys.readouterr().out
    assert "dB on novel views of held-out scenes" in said
    assert "scenes/s" in said


def test_resumed_in_the_middle_a_run_ends_with_the_losses_of_one_left_alone(tmp_path):
    Run(options(tmp_path / "alone")).train()
    interrupted(Run(options(tmp_path / "broken", save_every=0.0)), at=3)
    saved = read_state(tmp_path / "broken/state.pt")["counters"]["steps"]
    assert 0 < saved < 6
    again = Run(options(tmp_path / "broken"))
    assert again.training.steps == saved
    again.train()
    assert losses(tmp_path / "broken") == losses(tmp_path / "alone")


def test_a_finished_run_has_nothing_to_do(tmp_path):
    Run(options(tmp_path, steps=2)).train()
    before = (tmp_path / "log.jsonl").read_text()
    Run(options(tmp_path, steps=2)).train()
    assert (tmp_path / "log.jsonl").read_text() == before


def test_hours_are_counted_over_interruptions(tmp_path):
    config = replace(options(tmp_path, steps=1), steps=None, hours=1e-9)
    run = Run(config)
    assert run.share == 0.0
    run.train()
    assert run.training.steps == 1
    assert Run(config).finished


def test_a_run_of_another_kind_is_not_continued(tmp_path):
    Run(options(tmp_path / "stable", steps=1, training=WSD)).train()
    with pytest.raises(ValueError, match="is of a wsd run, not of a one-cycle one"):
        Run(options(tmp_path / "stable", steps=2))
    with pytest.raises(ValueError, match="is the folder of the run to cool down"):
        options(tmp_path / "stable", cooldown=tmp_path / "stable/state.pt")
    with pytest.raises(ValueError, match="leave out --preset and --from"):
        options(tmp_path / "cooled", cooldown=tmp_path / "stable/state.pt", preset="tiny")


def test_a_checkpoint_of_ns_train_is_named(tmp_path):
    save_state(tmp_path / "step.ckpt", {"format": STATE_FORMAT, "training": {}})
    with pytest.raises(ValueError, match=r"step\.ckpt is a checkpoint of `ns-train tokengs-pretrain`"):
        Run(options(tmp_path / "cooled", cooldown=tmp_path / "step.ckpt"))


def test_a_state_of_before_scenes_were_counted_goes_on(tmp_path):
    Run(options(tmp_path, steps=2)).train()
    state = read_state(tmp_path / "state.pt")
    save_state(tmp_path / "state.pt", {**state, "run": {"seed": 0, "seconds": 5.0}})
    run = Run(options(tmp_path, steps=3))
    assert (run.training.steps, run.ledger.seconds, run.ledger.scenes) == (2, 5.0, 0)


def test_the_start_is_other_weights(tmp_path):
    network = TokenGSNetwork(PRESETS["tiny"])
    save_network(network, tmp_path / "start.safetensors")
    still = TrainingConfig(learning_rate=1e-12, matrix_rate=0.0)
    main_options = options(tmp_path / "run", steps=1, start=str(tmp_path / "start.safetensors"), training=still)
    Run(main_options).train()
    torch.testing.assert_close(load_network(tmp_path / "run/network.safetensors").tokens, network.tokens)


def test_captures_are_trained_with_too(tmp_path, captures):
    config = options(tmp_path / "run", steps=2, data=(captures,))
    run = Run(config)
    assert [len(scene.c2w) for scene in run.batches.source.scenes] == [7]
    run.train()
    assert "depth" not in logged(tmp_path / "run")[2]
    with pytest.raises(SystemExit, match=r"^Error: no captures in"):
        main(["--output", str(tmp_path / "other"), "--steps", "2", "--data", str(tmp_path / "nowhere")])


def test_captures_may_be_a_share_of_the_scenes(tmp_path, captures):
    run = Run(options(tmp_path / "run", steps=8, data=(captures,), captures=CapturesConfig(share=0.5)))
    run.train()
    assert {"depth" in line for line in logged(tmp_path / "run").values()} == {True, False}
    assert logged(tmp_path / "run")[8]["held_out_psnr"] > 0


def test_a_run_of_another_seed_is_not_continued(tmp_path):
    Run(options(tmp_path, steps=1)).train()
    with pytest.raises(ValueError, match="was trained with --seed 0, not 1"):
        Run(options(tmp_path, steps=2, seed=1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--steps", "3", "--preset", "large"], "unknown preset 'large'; there are tiny"),
        ([], "either --steps or --hours"),
        (["--steps", "0"], "--steps is 0; a whole number from 1"),
        (["--hours", "-1"], r"--hours is -1\.0; a number above 0"),
        (["--hours", "nan"], "--hours is nan; a finite number"),
        (["--steps", "3", "--evaluate-every", "0"], "--evaluate-every is 0; a whole number from 1"),
        (
            ["--steps", "3", "--training.guard.gradient", "0.5"],
            r"guard\.gradient is 0\.5; a number above 1",
        ),
        (["--steps", "3", "--from", "nothing"], "no registered weights 'nothing'"),
        (["--steps", "3", "--held-out", "0"], "--held-out is 0; a whole number from 1"),
        (["--steps", "3", "--seed", "-1"], "--seed is -1; a whole number from 0 to 999999"),
    ],
)
def test_wrong_options_end_with_one_line(tmp_path, arguments, said):
    with pytest.raises(SystemExit, match=f"^Error: .*{said}") as ended:
        main(["--output", str(tmp_path), *arguments])
    assert "\n" not in str(ended.value.code)
    assert not list(tmp_path.iterdir())


FROM_PYTHON = """
import sys
for name in ("tyro", "nerfstudio", "gsplat"):
    sys.modules[name] = None
from pathlib import Path
from tokengs_nerfstudio.commands.pretrain import Pretraining, Run
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
Run(Pretraining(Path(sys.argv[1]), steps=1, batches=BatchConfig(scenes=1, side=16), device="cpu", held_out=1)).train()
"""


def test_python_drives_a_run_without_tyro_and_nerfstudio(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", FROM_PYTHON, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "network.safetensors").is_file()


def started(output: Path, steps: int, *more: str) -> "subprocess.Popen[str]":
    arguments = ["--output", str(output), "--steps", str(steps), "--save-every", "0", "--evaluate-every", "1000", *more]
    arguments += ["--held-out", "1", "--batches.scenes", "2", "--batches.side", "16", "--batches.late", "2"]
    command = [sys.executable, "-m", "tokengs_nerfstudio.commands.pretrain", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["one-cycle", "wsd"])
def test_killed_training_goes_on(tmp_path, schedule):
    """kill -9 in the middle of a run; started again it ends with the losses of a run that was left alone."""
    steps = 10
    chosen = ("--training.schedule", schedule)
    alone = started(tmp_path / "alone", steps, *chosen)
    alone.communicate(timeout=240)
    assert alone.returncode == 0
    victim, log = started(tmp_path / "killed", steps, *chosen), tmp_path / "killed/log.jsonl"
    deadline = time.monotonic() + 240
    while not (log.exists() and len(log.read_text().splitlines()) >= 4):
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    done = read_state(tmp_path / "killed/state.pt")["counters"]["steps"]
    assert 0 < done < steps
    again = started(tmp_path / "killed", steps, *chosen)
    output, _ = again.communicate(timeout=240)
    assert again.returncode == 0
    assert f"step {done}, " in output
    assert losses(tmp_path / "killed") == losses(tmp_path / "alone")
    assert load_network(tmp_path / "killed/network.safetensors").config.num_context == 4


def test_what_is_wrong_with_meshes_or_pictures_is_one_line(tmp_path):
    small_pack().save(tmp_path / "pack.npz")
    (tmp_path / "empty").mkdir()
    start = ["--output", str(tmp_path / "run"), "--steps", "2", "--device", "cpu", "--procedural.meshes.sources.pack"]
    with pytest.raises(SystemExit, match=r"^Error: there is no mesh pack \S*gone.npz$"):
        main([*start, str(tmp_path / "gone.npz")])
    for option in ("textures", "photos"):
        folder = f"--procedural.meshes.sources.{option}"
        with pytest.raises(SystemExit, match=r"^Error: there are no pictures in \S*empty: expected .*files$"):
            main([*start, str(tmp_path / "pack.npz"), folder, str(tmp_path / "empty")])
        with pytest.raises(SystemExit, match=r"^Error: there is no folder \S*nowhere$"):
            main([*start, str(tmp_path / "pack.npz"), folder, str(tmp_path / "nowhere")])
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_scenes_that_move_train_dynamic_tokens(tmp_path, monkeypatch):
    small_pack().save(tmp_path / "pack.npz")
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], time_channels=2, dynamic_tokens=4))
    start = ["--output", str(tmp_path / "run"), "--steps", "2", "--device", "cpu", "--held-out", "2"]
    meshes = ["--procedural.meshes.sources.pack", str(tmp_path / "pack.npz"), "--procedural.meshes.moving", "1.0"]
    main([*start, *meshes, "--procedural.solids", "0.5", "--batches.scenes", "2", "--batches.side", "16"])
    assert all(line["dynamic"] > 0 for line in logged(tmp_path / "run").values())
    assert load_network(tmp_path / "run" / "network.safetensors").config.dynamic_tokens == 4
