import sys

from tokengs_nerfstudio.commands import progress
from tokengs_nerfstudio.commands.progress import Lines, display


def test_without_a_terminal_lines_come_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with display() as shown:
        assert isinstance(shown, Lines)
        for second in range(25):
            now[0] = float(second)
            shown.update(second / 25, f"second {second}")
        shown.say("done")
    assert capsys.readouterr().out.splitlines() == ["  0%  second 0", " 40%  second 10", " 80%  second 20", "done"]


def test_a_terminal_gets_a_bar_and_the_lines_that_are_said(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with display() as shown:
        shown.update(0.5, "half")
        shown.say("a line")
    assert not isinstance(shown, Lines)
    said = capsys.readouterr().out
    assert "a line" in said
    assert "50%" in said
    assert "half" in said


def test_processes_beside_the_one_that_speaks_are_silent(capsys):
    with display(speaks=False) as shown:
        shown.update(0.5, "half")
        shown.say("done")
    assert capsys.readouterr().out == ""
