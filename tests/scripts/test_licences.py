"""The page of licences: what counts as free, and that it names what is locked."""

from importlib.metadata import Distribution
from pathlib import Path

import licences
import pytest


class Package(Distribution):
    """A package that says of itself what is given."""

    def __init__(self, text: str):
        self._text = text

    def read_text(self, filename):
        return self._text if filename == "METADATA" else None

    def locate_file(self, path):
        return Path(path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("License-Expression: MIT\n", "MIT"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n", "MIT License"),
        ("License: Copyright (c) 2015 somebody\nClassifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("License: Dual License\nClassifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("License: GPL3\n", "GPL3"),
        ("Name: silent\n", ""),
    ],
)
def test_what_a_package_says_of_itself(fields, said):
    assert licences.licence(Package(f"Metadata-Version: 2.1\n{fields}")) == said


def test_every_package_that_is_not_plainly_free_is_explained(capsys):
    assert licences.main() == 0
    page = capsys.readouterr().out
    assert "| pymeshlab | GPL3 | nerfstudio | nerfstudio asks for it" in page
    assert "plyfile" not in page
    assert "npm's gsplat 1.2.9 (MIT)" in page


def test_a_licence_that_nobody_looked_at_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(licences, "rows", lambda: [("new", "1.0", "GPL-3.0-only", ""), ("old", "1.0", "MIT", "")])
    assert licences.main() == 1
    assert "silent: new" in capsys.readouterr().err
