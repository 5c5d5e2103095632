"""The check of native libraries: on files made for it, and on the environment that runs the tests."""

import struct
import sys
from pathlib import Path

import native_libraries
import pytest


def write_library(file: Path, needed: list[str], soname: str | None = None) -> Path:
    """A shared library of a few hundred bytes that holds nothing but what it needs and what it is called."""
    strings, tags = b"\0", []
    for tag, name in [*((1, name) for name in needed), *([(14, soname)] if soname else [])]:
        tags.append((tag, len(strings)))
        strings += name.encode() + b"\0"
    header, program = 64, 56
    dynamic = header + 2 * program
    count = len(tags) + 3
    names = dynamic + 16 * count
    tags += [(5, names), (10, len(strings)), (0, 0)]
    end = names + len(strings)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    content = identity + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, header, 0, 0, header, program, 2, 64, 0, 0)
    content += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, end, end, 4096)
    content += struct.pack("<IIQQQQQQ", 2, 4, dynamic, dynamic, dynamic, 16 * count, 16 * count, 8)
    content += b"".join(struct.pack("<QQ", *tag) for tag in tags) + strings
    file.write_bytes(content)
    return file


def test_a_library_that_neither_the_environment_nor_a_plain_machine_has_is_missed(tmp_path):
    mesh = write_library(tmp_path / "pybind.so", needed=["libusb-1.0.so.0", "libtbb.so.12", "libc.so.6"])
    other = write_library(tmp_path / "other.so", needed=["libusb-1.0.so.0"])
    threads = write_library(tmp_path / "libtbb-1234.so", needed=["libc.so.6"], soname="libtbb.so.12")
    plain = native_libraries.plain_libraries()
    assert native_libraries.missing_libraries([mesh, other, threads], plain) == {"libusb-1.0.so.0": [mesh, other]}
    usb = write_library(tmp_path / "libusb-1.0.so.0", needed=["libc.so.6"])
    assert native_libraries.missing_libraries([mesh, other, threads, usb], plain) == {}


def test_a_plain_machine_has_what_python_needs_and_no_desktop():
    plain = native_libraries.plain_libraries()
    assert {"libc.so.6", "libstdc++.so.6", "libz.so.1", "libssl.so.3", "ld-linux-x86-64.so.2"} <= plain
    assert not {"libGL.so.1", "libX11.so.6", "libEGL.so.1", "libusb-1.0.so.0", "libgomp.so.1"} & plain
    assert all(name.startswith(("lib", "ld-")) for name in plain)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_what_cannot_be_imported_is_told_and_hides_nothing(tmp_path, monkeypatch):
    (tmp_path / "wants_usb.py").write_text("raise OSError('libusb-1.0.so.0: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    mapped, failures = native_libraries.load(["wants_usb", "numpy"])
    assert failures == {"wants_usb": "libusb-1.0.so.0: cannot open shared object file"}
    assert any("_multiarray_umath" in path.name for path in native_libraries.of_environment(mapped))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the list of plain libraries is Debian's")
def test_the_commands_need_no_library_that_a_plain_debian_lacks(capsys):
    with pytest.raises(SystemExit) as end:
        native_libraries.main()
    told = capsys.readouterr().out
    assert end.value.code == 0, told
    count = int(told.split()[0])
    assert count > 100, told
