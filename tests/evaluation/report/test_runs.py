"""What is read from the folders of runs."""

import pytest
from made.evaluations import ABOUT, record

from tokengs_nerfstudio.evaluation.report.runs import read_runs
from tokengs_nerfstudio.evaluation.tables import Table, write_metrics, write_table


@pytest.fixture
def folder(tmp_path):
    write_metrics(tmp_path / "one", ABOUT, [record("a", 20.0), record("b", 22.0)])
    write_table(tmp_path / "one", "token_count", ABOUT, Table("", "number of tokens", [("4 tokens", {"psnr": 1.0})]))
    (tmp_path / "learned").mkdir()
    lines = ['{"step": 1, "loss": 0.5}', '{"step": 2, "loss": 0.25, "held_out_psnr": 14.0}', '{"step": 3, "lo', "[]"]
    (tmp_path / "learned/log.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_evaluations_and_trainings_by_folder_or_file(folder):
    for paths in ((folder / "one", folder / "learned"), (folder / "one/metrics.json", folder / "learned/log.jsonl")):
        (evaluated,), (trained,) = read_runs(paths)
        assert (evaluated.name, evaluated.preset, evaluated.mean["psnr"]) == ("one", "captures", 21.0)
        assert list(evaluated.by_scene) == ["a", "b"]
        assert list(evaluated.axes["token_count"]) == [{"number of tokens": "4 tokens", "psnr": 1.0}]
        assert (trained.name, trained.curve("loss")) == ("learned", [(1, 0.5), (2, 0.25)])
        assert trained.curve("held_out_psnr") == [(2, 14.0)]


def test_files_may_have_been_given_names_of_their_own(folder):
    (folder / "one/metrics.json").rename(folder / "one/mine.json")
    (folder / "learned/log.jsonl").rename(folder / "learned/theirs.jsonl")
    (evaluated,), (trained,) = read_runs([folder / "one/mine.json", folder / "learned/theirs.jsonl"])
    assert (evaluated.name, evaluated.axes, trained.name) == ("mine", {}, "theirs")
    assert not evaluated.folder.exists()


def test_runs_of_one_name_are_told_apart(folder):
    write_metrics(folder / "more/one", ABOUT, [record("a", 1.0)])
    evaluated, _ = read_runs([folder / "one", folder / "more/one"])
    assert len({run.name for run in evaluated}) == 2


def test_what_is_no_run_is_said(folder):
    with pytest.raises(FileNotFoundError, match=r"nothing is no run: it has neither metrics\.json nor log\.jsonl"):
        read_runs([folder / "nothing"])
    for content in ("{}", '{"rows": 3}', '{"rows": [{"number of tokens": "4 tokens"}]}'):
        (folder / "one/token_count.json").write_text(content)
        with pytest.raises(ValueError, match=r"token_count\.json cannot be read as a table of tokengs-evaluate"):
            read_runs([folder / "one"])
    (folder / "one/token_count.json").unlink()
    for content in ("{", "{}", '{"about": {"preset": "x"}, "mean": {}, "scenes": [{}]}'):
        (folder / "one/metrics.json").write_text(content)
        with pytest.raises(ValueError, match=r"metrics\.json cannot be read as results of tokengs-evaluate"):
            read_runs([folder / "one"])
