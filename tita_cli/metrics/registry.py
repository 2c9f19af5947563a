"""Every metric by name: its function, which direction is better, and how colour is treated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tita_cli.errors import UsageError
from tita_cli.metrics import activity, edges, exposure, fidelity, information, perception, similarity
from tita_cli.metrics.plane import Plane

OfFused: TypeAlias = Callable[[Plane], float]
OfAll: TypeAlias = Callable[..., float]
Color: TypeAlias = Literal["mean", "tiled", "grey"]
Convention: TypeAlias = Literal["mefb", "vifb"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    ``color``: ``mean`` over the channels, the channels ``tiled`` side by side, or computed on ``grey``;
    ``color_in_vifb``: the same for VIFB, if different.
    ``least``: the smallest side of an image on which it is defined, in pixels. ``of_sets``: ``with_sources`` takes any
    number of sources, not two.
    """

    name: str
    higher_is_better: bool
    alone: OfFused | None = None
    with_sources: OfAll | None = None
    color: Color = "mean"
    color_in_vifb: Color | None = None
    least: int = 2
    of_sets: bool = False

    def __call__(self, fused: Plane, *sources: Plane) -> float:
        if self.alone is not None:
            return self.alone(fused)
        if self.with_sources is None:
            raise TypeError(f"metric {self.name} has no function")
        return self.with_sources(fused, *sources)

    def takes(self, count: int) -> bool:
        """Whether it is defined for ``count`` sources."""
        return count == 2 or self.alone is not None or (self.of_sets and count > 2)

    def color_by(self, convention: Convention) -> Color:
        """How the metric treats colour under a benchmark's convention."""
        return self.color_in_vifb or self.color if convention == "vifb" else self.color

    @property
    def arrow(self) -> str:
        return "↑" if self.higher_is_better else "↓"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("EN", True, alone=information.en),
        Metric("CE", False, with_sources=information.ce),
        Metric("MI", True, with_sources=information.mi),
        Metric("NMI", True, with_sources=information.nmi),
        Metric("Qncie", True, with_sources=information.qncie),
        Metric("PSNR", True, with_sources=fidelity.psnr),
        Metric("RMSE", False, with_sources=fidelity.rmse),
        Metric("CC", True, with_sources=fidelity.cc),
        Metric("SCD", True, with_sources=fidelity.scd),
        Metric("SSIM", True, with_sources=similarity.ssim, least=11),
        Metric("MS_SSIM", True, with_sources=similarity.ms_ssim, least=161),
        Metric("MEF_SSIM", True, with_sources=exposure.mef_ssim, color="grey", least=44, of_sets=True),
        Metric("AG", True, alone=activity.ag),
        Metric("EI", True, alone=activity.ei),
        Metric("SF", True, alone=activity.sf, color_in_vifb="tiled"),
        Metric("SD", True, alone=activity.sd),
        Metric("Qabf", True, with_sources=edges.qabf),
        Metric("FMI", True, with_sources=edges.fmi, least=3),
        Metric("Qcb", True, with_sources=perception.qcb),
        Metric("Qcv", False, with_sources=perception.qcv),
        Metric("VIF", True, with_sources=perception.vif, least=41),
        Metric("Qw", True, with_sources=similarity.qw, least=11),
        Metric("Qy", True, with_sources=similarity.qy, least=11),
        Metric("Qc", True, with_sources=similarity.qc, least=11),
        Metric("TE", True, with_sources=information.te),
    )
}


def find_metrics(names: str) -> list[Metric]:
    """The metrics in ``names``, separated by commas; case is ignored, and ``-`` equals ``_``.

    Raises UsageError for an unknown name.
    """
    known = {name.casefold(): metric for name, metric in METRICS.items()}
    found: list[Metric] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        metric = known.get(name.casefold().replace("-", "_"))
        if metric is None:
            raise UsageError(f"unknown metric: {name}", hint=f"known: {', '.join(METRICS)}")
        if metric not in found:
            found.append(metric)
    if not found:
        raise UsageError("no metric given", hint=f"known: {', '.join(METRICS)}")
    return found
