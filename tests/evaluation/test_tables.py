"""Records as tables."""

import csv
import json

import pytest
from made.evaluations import ABOUT, record

from tokengs_nerfstudio.evaluation.tables import Table, headline, means_of, scene_table, write_metrics, write_table

RECORDS = [record("one", 20.0), record("another", 23.5)]


def test_means_are_over_scenes_and_of_what_all_have():
    lacking = record("third", 10.0, means={"psnr": 10.0})
    assert means_of(RECORDS)["psnr"] == 21.75
    assert set(means_of([*RECORDS, lacking])) == {"psnr"}
    assert means_of([]) == {}


def test_text_has_aligned_columns_and_csv_all_digits():
    table = scene_table("title", [record("one", 20.123456), RECORDS[1]])
    lines = table.text().splitlines()
    assert lines[0] == "title"
    assert lines[1].split() == ["scene", "psnr", "ssim", "gaussians", "encode", "seconds"]
    assert lines[2].split() == ["one", "20.12", "0.500", "100", "0.250"]
    assert len({len(line) for line in lines[1:]}) == 1
    rows = list(csv.DictReader(table.csv().splitlines()))
    assert [row["scene"] for row in rows] == ["one", "another", "mean"]
    assert float(rows[0]["psnr"]) == 20.123456


def test_what_a_row_lacks_is_a_dash():
    table = Table("", "run", [("a", {"psnr": 1.0}), ("b", {"other": 2.0})])
    assert table.cells() == [["run", "psnr", "other"], ["a", "1.00", "-"], ["b", "-", "2.000"]]
    assert table.csv().splitlines()[1] == "a,1.0,"


def test_metrics_are_written_for_programs_and_for_people(tmp_path):
    about = {**ABOUT, "missing": [], "versions": {"torch": "2"}}
    write_metrics(tmp_path, about, RECORDS)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["about"] == about
    assert content["mean"]["psnr"] == 21.75
    assert content["scenes"] == RECORDS
    text = (tmp_path / "metrics.txt").read_text()
    assert text.startswith("captures, weights tiny: 2 of 3 scenes\n")
    assert "versions: torch 2\n" in text
    assert "missing" not in text
    assert (tmp_path / "metrics.csv").read_text() == scene_table("", RECORDS).csv()


def test_a_table_of_its_own(tmp_path):
    write_table(tmp_path, "noise", ABOUT, Table("t", "level", [("low", {"psnr": 2.0})]))
    assert json.loads((tmp_path / "noise.json").read_text())["rows"] == [{"level": "low", "psnr": 2.0}]
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".csv", ".txt"}


@pytest.mark.parametrize(("tuning", "said"), [("none", "tiny: 2"), ("tokens", "tiny, 5 steps of tuning (tokens): 2")])
def test_the_headline_says_what_was_tuned(tuning, said):
    assert headline({**ABOUT, "tuning": tuning, "tuning_steps": 5}) == f"captures, weights {said} of 3 scenes"
