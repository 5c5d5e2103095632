"""`ns-train` on odd and broken captures and with odd options, other commands on what it leaves: each ends as its case
says, never in a traceback."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from cases import finished, intrinsics, masks, photos, poses, reports, splits, texts
from cases.draft import COUNT, HEIGHT, WIDTH, Draft, Expected, draft
from cases.options import OTHERS, USUAL, typed
from cases.running import ForkServer, Outcome
from made.captures import write_blobs, write_weights

KINDS = (texts, splits, intrinsics, poses, photos, masks, reports)


def cases_of(module: ModuleType) -> list[Any]:
    """The functions that a module of cases defines, each as a parameter of a test."""
    own = [item for name, item in vars(module).items() if callable(item) and not name.startswith("_")]
    kind = module.__name__.split(".")[-1]
    return [
        pytest.param(case, id=f"{kind}-{case.__name__}", marks=[] if hasattr(case, "usual") else pytest.mark.every_case)
        for case in own
        if case.__module__ == module.__name__
    ]


@dataclass(frozen=True)
class Bench:
    """A clean capture, weights that encode in a moment, and what a run on them holds."""

    server: ForkServer
    capture: Path
    weights: Path
    folder: Path

    def run(self, data: Path, name: str, *options: str, seconds: int = 300) -> Outcome:
        arguments = ["tokengs", "--vis", "tensorboard", "--max-num-iterations", "1", "--data", str(data)]
        arguments += ["--pipeline.model.checkpoint", str(self.weights), "--output-dir", str(self.folder / name / "out")]
        # Options of the trainer go before those of a dataparser, whose name ends them.
        return self.server.run(self.folder / name, *arguments, *options, seconds=seconds)

    def look(self, command: str, name: str, *options: str) -> Outcome:
        """Another command on the run of the clean capture."""
        config = next(self.folder.glob("clean-run/out/**/config.yml"))
        kind = options[:1] if command != "ns-eval" else ()
        words = [*kind, "--load-config", str(config), *options[len(kind) :]]
        return self.server.run(self.folder / name, *words, command=command)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[tuple[Bench, Outcome]]:
    folder = tmp_path_factory.mktemp("cases")
    capture = write_blobs(folder / "clean", COUNT, HEIGHT, WIDTH, test=range(0, COUNT, 4))
    server = ForkServer()
    made = Bench(server, capture, write_weights(folder / "weights.safetensors"), folder)
    clean = made.run(capture, "clean-run", seconds=1200)  # where nothing is compiled yet, all of it is now
    assert clean.code == 0, clean.output
    yield made, clean
    server.close()


@pytest.mark.parametrize("case", [case for kind in KINDS for case in cases_of(kind)])
def test_what_must_happen_happens(bench, tmp_path, case: Callable[[Draft], Any]):
    made, clean = bench
    spoiled = draft(made.capture, tmp_path / "capture", case)
    outcome = made.run(spoiled.folder / spoiled.data, tmp_path.name, *spoiled.options)
    expected = Expected.of(case)
    assert not outcome.has_traceback, outcome.output[-3000:]
    if expected.outcome == "Error":
        check_error(outcome, expected.said)
        return
    assert outcome.code == 0, outcome.output[-3000:]
    for words in expected.said:
        assert words in " ".join(outcome.output.split()), f"{words!r} is not said:\n{outcome.output[-3000:]}"
    check_sound(outcome)
    if expected.outcome == "Same":
        check_same(spoiled, outcome.held, clean.held)
    if spoiled.masked is not None:
        check_masks(outcome.held["masks"], spoiled.masked)


@pytest.mark.parametrize(
    ("options", "expected"),
    [*USUAL.items(), *(pytest.param(*item, marks=pytest.mark.every_case) for item in OTHERS.items())],
)
def test_what_is_typed_works_or_is_refused_by_its_name(bench, tmp_path, options: str, expected: str):
    made, _ = bench
    words = typed(options)
    outcome = made.run(made.capture, tmp_path.name, *words)
    assert not outcome.has_traceback, outcome.output[-3000:]
    wanted = Expected.read(expected)
    if wanted.outcome == "Error":
        flag = next(word for word in words if word.startswith("--"))
        check_error(outcome, wanted.said or (flag,))
        assert not (made.folder / tmp_path.name / "out").exists(), "the folder of a run that never was"
        return
    assert outcome.code == 0, outcome.output[-3000:]
    check_sound(outcome)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        *finished.USUAL.items(),
        *(pytest.param(*item, marks=pytest.mark.every_case) for item in finished.OTHERS.items()),
    ],
)
def test_what_is_asked_of_a_finished_run_works_or_is_refused(bench, tmp_path, words: str, expected: str):
    made, _ = bench
    folder = made.folder / tmp_path.name
    finished.write_files(folder)
    outcome = made.look(words.split()[0], tmp_path.name, *words.split()[1:])
    wanted = Expected.read(expected)
    assert not outcome.has_traceback, outcome.output[-3000:]
    if wanted.outcome == "Error":
        check_error(outcome, wanted.said)
        assert "Loading latest checkpoint" not in outcome.output
        return
    assert outcome.code == 0, outcome.output[-3000:]
    for name in wanted.said:
        assert (folder / name).exists(), outcome.output[-3000:]


def check_error(outcome: Outcome, said: tuple[str, ...]) -> None:
    assert outcome.code != 0, "it was taken: " + outcome.output[-2000:]
    assert len(outcome.errors) == 1, outcome.output[-3000:]
    for words in said:
        assert words in outcome.errors[0], f"{words!r} is not in: {outcome.errors[0]}"


def check_sound(outcome: Outcome) -> None:
    """What holds of every run: numbers are numbers, no photo that is held out is trained on."""
    held = outcome.held
    for name in ("images", "c2w", "intrinsics", "times", "masks"):
        if held[name] is not None:
            assert held[name].isfinite().all(), name
    if held["held_out"]:
        assert not set(held["train_files"]) & set(held["eval_files"])


def check_same(spoiled: Draft, held: dict[str, Any], clean: dict[str, Any]) -> None:
    """The photos and cameras of the clean capture, in whatever order."""
    assert len(held["c2w"]) == len(clean["c2w"])
    assert held["held_out"] == clean["held_out"]
    order = [int((clean["c2w"] - pose).abs().amax(dim=(1, 2)).argmin()) for pose in held["c2w"]]
    assert sorted(order) == list(range(len(order)))
    torch.testing.assert_close(held["c2w"], clean["c2w"][order], atol=2e-3, rtol=0)
    torch.testing.assert_close(held["intrinsics"], clean["intrinsics"][order], atol=0.02, rtol=1e-3)
    looks = spoiled.looks(clean["images"])[order]
    assert float((held["images"] - looks).abs().mean()) < spoiled.tolerance
    if held["times"] is not None:
        assert float(held["times"].min()) >= 0
        assert float(held["times"].max()) <= 1


def check_masks(found: torch.Tensor | None, expected: np.ndarray) -> None:
    assert found is not None
    assert found.shape[-2:] == expected.shape
    # A column at the edge of a lossy or reduced mask may go either way.
    wrong = float((found.squeeze(1).bool() != torch.from_numpy(expected)).float().mean())
    assert wrong < 0.04
