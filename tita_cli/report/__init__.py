"""A page about a batch: every result beside its sources, OAF's weights, metrics, failures."""

from __future__ import annotations

from tita_cli.report.write import DEFAULT_METRICS, is_report, report_metrics, write_report

__all__ = ["DEFAULT_METRICS", "is_report", "report_metrics", "write_report"]
