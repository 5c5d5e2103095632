"""JSON of users: what is wrong with it is said in one line."""

import pytest

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.json_text import json_content, read_json


def test_what_is_json_is_read(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": [1, {"b": null}], "c": "\xc3\xbc"}')
    assert read_json(file) == {"a": [1, {"b": None}], "c": "ü"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b'{"fl_x": 50, "fl_y": 50, "fl_x": 20.5}',
            r"here has 'fl_x' 2 times in one object \(50, 20.5\): keep the one",
        ),
        (b'{"frames": [{"a": 1, "a": 1}]}', "here has 'a' 2 times"),
        (b"{", "here is not valid JSON: "),
        (b"[" * 100_000, "nested too deeply"),
        ("{}".encode("utf-16"), "here is not text in UTF-8"),
    ],
)
def test_what_is_none_is_said(text, said):
    with pytest.raises(UserError, match=said):
        json_content(text, "here")
