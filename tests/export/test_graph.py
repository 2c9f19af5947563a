"""The graph that is exported: what shifted windows at the map's edge have instead of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tita_cli.export.graph import Graph
from tita_cli.models.checkpoint import load_network
from tita_cli.models.find import find_model
from tita_cli.network.attention import MASKED
from tita_cli.runtime.windows import TOKENS


def test_no_token_looks_across_the_edge_though_scores_are_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained weights on noise: what is random in the weights as well does not get there."""
    net = load_network(find_model("tita", suffix=".safetensors")).network
    a, b = torch.rand(2, 1, 1, 64, 96, generator=torch.Generator().manual_seed(64 * 96))
    softmax, ranges = torch.Tensor.softmax, [0.0]

    def watched(x: Tensor, *args: Any, **options: Any) -> Tensor:
        if x.shape[-2:] == (TOKENS, TOKENS):
            seen = x[x > MASKED / 2]
            ranges.append(float(seen.max() - seen.min()))
        return softmax(x, *args, **options)

    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "attention" in name and ".q." in name:
                parameter.mul_(1.2)
        made = Graph(net)(a, b)[1]
        monkeypatch.setattr(torch.Tensor, "softmax", watched)
        wanted = net(a, b).weights
    assert max(ranges) > 100, "these weights have calmed down: multiply them by more"
    np.testing.assert_allclose(made.numpy(), wanted.numpy(), atol=1e-5)
