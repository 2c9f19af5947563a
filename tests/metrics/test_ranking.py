"""Places among published methods, and the tables they come from."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tita_cli.errors import InputError, MismatchError
from tita_cli.metrics import METRICS
from tita_cli.metrics.ranking import Published, as_cell, from_cell, rank, read_published, reencode

EN, CE = METRICS["EN"], METRICS["CE"]


@pytest.fixture
def published() -> Published:
    """Three methods on two images; means of EN: 7, 6, 5, of CE: 3, 1, 2."""
    means = {"x": (7.0, 3.0), "y": (6.0, 1.0), "z": (5.0, 2.0)}
    return Published(
        {
            (image, method, metric): value + shift
            for method, (en, ce) in means.items()
            for metric, value in (("EN", en), ("CE", ce))
            for image, shift in (("1", -0.5), ("2", 0.5))
        }
    )


def test_lower_is_better_where_it_is(published: Published) -> None:
    ranks = rank({"1": {"EN": 6.5, "CE": 0.1}, "2": {"EN": 6.5, "CE": 0.1}}, published, [EN, CE])
    assert ranks.places == {"EN": 2, "CE": 1}
    assert (ranks.count, ranks.average, ranks.place) == (4, 1.5, 1)
    assert ranks.others == {"x": 2.5, "y": 2.5, "z": 3.5}


def test_only_common_images_count(published: Published) -> None:
    # On image 2 alone the methods have EN 7.5, 6.5, 5.5.
    ranks = rank({"2": {"EN": 7.2}, "other": {"EN": 0.0}}, published, [EN])
    assert ranks.places == {"EN": 2}


def test_a_value_that_is_not_defined_takes_no_part(published: Published) -> None:
    ranks = rank({"1": {"EN": math.nan, "CE": math.nan}, "2": {"EN": 9.0, "CE": math.nan}}, published, [EN, CE])
    assert ranks.places == {"EN": 1}


def test_nothing_in_common(published: Published) -> None:
    with pytest.raises(MismatchError, match="images"):
        rank({"9": {"EN": 1.0}}, published, [EN])
    with pytest.raises(MismatchError, match="metrics"):
        rank({"1": {"VIF": 1.0}}, published, [METRICS["VIF"]])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no column named image"),
        ("image,method,value\n1,x,2\n", "no column named metric"),
        ("image,method,metric,value\n", "no values"),
        ("image,method,metric,value\n1,x,EN,high\n", "line 2 is not a row"),
        ("image,method,metric,value\n1,x,EN\n", "line 2 is not a row"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, complaint: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        read_published(table)
    with pytest.raises(InputError, match="no such file"):
        read_published(tmp_path / "none.csv")


def test_reencoding_is_what_a_file_would_have_become() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    again = reencode(image)
    assert (again.shape, again.dtype) == (image.shape, image.dtype)
    assert not np.array_equal(again, image)
    assert reencode(image[:, :, 0]).shape == (32, 40)


@pytest.mark.parametrize("name", ["=1+1", "+a", "-a", "@a", "\ta", "'", "'=a", "''a", "a", "", "0=1", "日本"])
def test_cells_are_no_formulas_and_come_back(name: str) -> None:
    cell = as_cell(name)
    assert cell[:1] not in tuple("=+-@\t\r")
    assert from_cell(cell) == name


def test_names_that_are_not_utf_8_are_read_as_they_are(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"image,method,metric,value\na\xff,'=m,EN,-1\n")
    assert read_published(table).values == {("a\udcff", "=m", "EN"): -1.0}
