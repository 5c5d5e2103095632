"""A pytest plugin that writes one line of JSON per test as soon as it ends: what is known when a run is cut short.

PYTHONPATH=scripts pytest -p gpu_results, with the file's path in GPU_RESULTS.
"""

import json
import os

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The call's outcome, or that of setting up or tearing down where that is not success."""
    if report.when != "call" and report.passed:
        return
    figures = {name: value for name, value in report.user_properties if isinstance(value, (int, float))}
    line = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "figures": figures}
    if report.failed:
        line["message"] = str(report.longrepr)[-1500:]
    # Workers of pytest-xdist hand their reports on to the process that started them.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with open(os.environ["GPU_RESULTS"], "a") as file:
            file.write(json.dumps(line) + "\n")
