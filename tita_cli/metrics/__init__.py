"""Metrics of image fusion as the published benchmarks compute them, on 8-bit images."""

from __future__ import annotations

from tita_cli.metrics.evaluate import evaluate
from tita_cli.metrics.registry import METRICS, Metric, find_metrics

__all__ = ["METRICS", "Metric", "evaluate", "find_metrics"]
