"""Our values beside the benchmarks', where their images are at hand. bench/metrics_validation.py does all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tita_cli.metrics import evaluate
from tita_cli.metrics.ranking import read_published

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.mark.skipif(not (SHARED / "bench/vifb_fused").is_dir(), reason="the benchmark's images are not here")
@pytest.mark.parametrize("method", ["CNN", "GFF", "Hybrid_MSD", "IFCNN", "U2Fusion"])
def test_values_of_vifb(method: str) -> None:
    published = read_published(SHARED / "bench/vifb_published.csv")
    for name in ("peopleshadow", "manWalking"):
        fused = np.asarray(Image.open(SHARED / f"bench/vifb_fused/{method}/{name}.jpg"))
        visible, infrared = (
            np.asarray(Image.open(SHARED / f"data/dev/ivf/vifb/{kind}/{name}.jpg")) for kind in ("vis", "ir")
        )
        assert len(published.metrics) == 13
        for metric, value in evaluate(fused, visible, infrared, metrics=published.metrics, convention="vifb").items():
            # Five digits are printed.
            assert value == pytest.approx(published.values[name, method, metric], rel=6e-5), (name, metric)
