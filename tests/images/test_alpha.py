"""A source counts where it is opaque."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tita_cli.images.alpha import fill_transparent, limit_to_alpha, union_alpha

PLANE = hnp.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32))
LEFT = np.array([[1, 1, 0, 0]], np.float32)
RIGHT = np.array([[0, 1, 1, 0]], np.float32)
A, B, FUSED = (np.full((1, 4), value, np.float32) for value in (0.2, 0.8, 0.5))


def test_union() -> None:
    both = union_alpha(LEFT, RIGHT)
    assert both is not None and both.tolist() == [[1, 1, 1, 0]]
    assert union_alpha(None, RIGHT) is None and union_alpha(None, None) is None


def test_the_network_sees_the_other_source_behind_transparency() -> None:
    seen_a, seen_b = fill_transparent(A, LEFT, B, RIGHT)
    np.testing.assert_allclose(seen_a, [[0.2, 0.2, 0.8, 0.2]])
    np.testing.assert_allclose(seen_b, [[0.2, 0.8, 0.8, 0.8]])


def test_result_is_the_only_opaque_source() -> None:
    np.testing.assert_allclose(limit_to_alpha(FUSED, A, LEFT, B, RIGHT), [[0.2, 0.5, 0.8, 0.5]])
    np.testing.assert_allclose(limit_to_alpha(FUSED, A, LEFT, B, None), [[0.5, 0.5, 0.8, 0.8]])
    color = np.repeat(FUSED[..., None], 3, axis=2)
    limited = limit_to_alpha(color, np.zeros_like(color), LEFT, np.ones_like(color), RIGHT)
    np.testing.assert_allclose(limited[..., 1], [[0.0, 0.5, 1.0, 0.5]])


@given(PLANE, PLANE, PLANE, PLANE, PLANE)
def test_result_lies_between(
    fused: np.ndarray, a: np.ndarray, alpha_a: np.ndarray, b: np.ndarray, alpha_b: np.ndarray
) -> None:
    limited = limit_to_alpha(fused, a, alpha_a, b, alpha_b)
    values = np.stack([fused, a, b])
    assert (limited >= values.min(axis=0) - 1e-5).all() and (limited <= values.max(axis=0) + 1e-5).all()
    opaque = np.ones_like(a)
    np.testing.assert_allclose(limit_to_alpha(fused, a, opaque, b, opaque), fused, atol=1e-6)
    np.testing.assert_array_equal(limit_to_alpha(fused, a, None, b, None), fused)
