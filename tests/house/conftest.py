"""Prints the size report after the house tests have run."""

from tests.house.size_report import size_lines
from tests.house.source import read_modules


def pytest_terminal_summary(terminalreporter):
    reports = [report for group in terminalreporter.stats.values() for report in group if hasattr(report, "nodeid")]
    if any(report.nodeid.startswith("tests/house/") for report in reports):
        terminalreporter.section("sizes")
        for line in size_lines(read_modules()):
            terminalreporter.write_line(line)
