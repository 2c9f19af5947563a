"""Graphs that name other files, operators of others, or what cannot be, are refused before anything runs them."""

from __future__ import annotations

import pytest

from tita_cli.cli.doctor_checks import _SMALLEST_MODEL
from tita_cli.errors import ModelError
from tita_cli.models.find import shipped_models
from tita_cli.models.onnx_graph import check_graph


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return (
        bytes([number << 3 | 2, len(content)])
        if number < 16
        else bytes([number << 3 & 0x7F | 0x82, number >> 4, len(content)])
    )


def message(number: int, content: bytes) -> bytes:
    return field(number, content) + content


TENSOR = message(8, b"w") + message(13, message(1, b"location") + message(2, b"/etc/passwd"))
LOCATED = message(8, b"w") + bytes([14 << 3, 1])


def node(content: bytes) -> bytes:
    return message(7, message(1, message(4, b"Constant") + content))


def attribute(number: int, content: bytes) -> bytes:
    return node(message(5, message(1, b"value") + message(number, content)))


@pytest.mark.parametrize("tensor", [TENSOR, LOCATED])
def test_external_data_anywhere_is_refused(tensor: bytes) -> None:
    inner = message(5, tensor)
    places = {
        "initializer": message(7, message(5, tensor)),
        "sparse initializer": message(7, message(15, message(1, tensor))),
        "attribute": attribute(5, tensor),
        "attributes": attribute(10, tensor),
        "sparse attribute": attribute(22, message(2, tensor)),
        "subgraph": attribute(6, inner),
        "subgraphs": attribute(11, inner),
    }
    for place, model in places.items():
        for given in ((),) if place == "initializer" else ((), ("w",)):
            with pytest.raises(ModelError, match="keeps w in another file"):
                check_graph(model, given)
    check_graph(places["initializer"], ["w"])


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (node(message(7, b"com.example")), "operators of"),
        (message(25, message(1, b"f")), "functions"),
        (message(7, message(5, bytes([8, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]))), "side that cannot be"),
        (_SMALLEST_MODEL[:-3], "cut short"),
        (b"\xff" * 20, "damaged"),
        (bytes([7 << 3, 1]), "damaged"),
    ],
)
def test_graphs_of_others_and_damaged_ones(model: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        check_graph(model)


def test_what_tita_exports_passes() -> None:
    check_graph(_SMALLEST_MODEL)
    for model in shipped_models().values():
        path = model.file(".onnx")
        assert path is not None
        check_graph(path.read_bytes())
