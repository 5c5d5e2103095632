"""The folder of an evaluation."""

import json

import pytest
from made.evaluations import record

from tokengs_nerfstudio.evaluation.results import Results, file_name

IDENTITY = {"preset": "captures", "seed": 0, "size": (3, 4), "tuning": None}


def test_records_come_back_and_keep_their_numbers_to_the_bit(tmp_path):
    results = Results(tmp_path, IDENTITY)
    results.add(record("a", 0.1 + 0.2))
    results.add(record("b/c", 1 / 3, "pose_noise/1_0"))
    again = Results(tmp_path, IDENTITY)
    assert again.records == results.records
    assert list(again.records) == [("", "a"), ("pose_noise/1_0", "b/c")]
    assert again.records["", "a"]["means"]["psnr"] == 0.1 + 0.2


def test_another_evaluation_is_refused_and_left_as_it_is(tmp_path):
    Results(tmp_path, IDENTITY).add(record("a", 1.0))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for change, said in (({"seed": 1}, "its seed was 0, now it is 1"), ({"more": 2}, "its more was null, now it is 2")):
        with pytest.raises(ValueError, match=f"{tmp_path} holds the results of another evaluation: {said}"):
            Results(tmp_path, IDENTITY | change)
    with pytest.raises(ValueError, match="its tuning was"):
        Results(tmp_path, IDENTITY | {"tuning": {"rate": 1.0}})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("left", ["metrics.json", "scenes/a.json"])
def test_results_of_nobody_knows_what_are_refused(tmp_path, left):
    (tmp_path / "scenes" if "/" in left else tmp_path).mkdir(exist_ok=True)
    (tmp_path / left).write_text("{}")
    with pytest.raises(ValueError, match=r"without evaluation\.json"):
        Results(tmp_path, IDENTITY)


def test_a_broken_record_is_done_again_and_a_broken_identity_is_said(tmp_path):
    Results(tmp_path, IDENTITY).add(record("a", 1.0))
    file = tmp_path / "scenes/a.json"
    for content in ('{"scene": "a"', "[]", '{"scene": "a"}', '{"scene": "a", "variant": "", "means": {"psnr": 1}}'):
        file.write_text(content)
        assert not Results(tmp_path, IDENTITY).records
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(ValueError, match=r"evaluation\.json cannot be read as what an evaluation is of"):
        Results(tmp_path, IDENTITY)


def test_records_of_others_may_be_known_without_being_written(tmp_path):
    results = Results(tmp_path / "out", IDENTITY)
    results.add(record("a", 1.0), write=False)
    assert len(results.records) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["evaluation.json"]


def test_names_of_scenes_are_names_of_files_and_stay_apart():
    assert file_name("scene-1_b.c") == "scene-1_b.c"
    names = [file_name(name) for name in ("a/b", "a_b", "a b", "../a", ".a", "a")]
    assert len(set(names)) == 6
    assert not any("/" in name or name.startswith(".") for name in names)
    assert json.loads(json.dumps(names)) == names
