"""Manifests as CSV and JSON Lines."""

from __future__ import annotations

import json
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path

import pytest

from tita_cli.batch import make_jobs
from tita_cli.errors import InputError, MismatchError
from tita_cli.pairing import Group, Manifest, read_manifest

BASE = Path("/data")


def parse(text: str) -> list[Group]:
    return list(Manifest(lambda: BytesIO(text.encode()), name="<stdin>", base=BASE).groups)


def test_csv_columns_are_sources_and_output_names_the_result() -> None:
    first, second = parse("vis,ir,output\nvis/1.png,ir/1.png,one.png\nvis/2.png,/abs/2.png,\n")
    assert (first.name, first.sources) == ("one.png", (BASE / "vis/1.png", BASE / "ir/1.png"))
    assert (second.name, second.sources) == ("2", (BASE / "vis/2.png", Path("/abs/2.png")))


def test_csv_rows_may_have_different_lengths_and_odd_names() -> None:
    first, second = parse('a,b,c\n"x, 1.png","new\nline.png"\n\n"say ""hi"".png",ü.png,z.png\n')
    assert (len(first.sources), len(second.sources)) == (2, 3)
    assert first.sources[1].name == "new\nline.png"


def test_jsonl_with_reference_and_odd_names() -> None:
    lines = [
        {"sources": ["a b.png", "new\nline.png"], "output": "x/y.tif", "reference": 2},
        {"sources": ["\u2028.png", "日本.png", "c.png"]},
    ]
    first, second = parse("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    assert (first.name, first.reference) == ("x/y.tif", 1)
    assert second.sources[:2] == (BASE / "\u2028.png", BASE / "日本.png")


def test_a_described_group_is_a_line_of_a_manifest() -> None:
    group = parse('{"sources": ["a.png", "b.png", "c.png"], "reference": 3, "output": "o"}')[0]
    (again,) = parse(json.dumps(group.describe()))
    assert (again.name, again.sources, again.reference) == (group.name, group.sources, group.reference)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "is empty"),
        ("a,b\nx.png\n", "line 2: 1 source"),
        ("a,b\nx.png,y.png,z.png\n", "line 2: 3 cells under 2 columns"),
        ("a,b\nx.png,x.png\n", "line 2: the same source occurs twice"),
        ('a,b\n"x.png,y.png\n', "line 2"),
        ('{"sources": []}', "line 1: no source"),
        ('{"sources": "x.png"}', "line 1: 'sources' is not a list"),
        ('{"sources": ["x.png", 3]}', "line 1: 'sources' is not a list"),
        ('{"sources": ["x.png", "y.png"], "ouput": "z.png"}', "line 1: unknown key 'ouput'"),
        ('{"sources": ["x.png", "y.png"], "reference": 3}', "line 1: 'reference' is 3"),
        ('{"sources": ["x.png", "y.png"], "reference": true}', "line 1: 'reference'"),
        ('{"sources": ["x.png", "y.png"], "output": "../z.png"}', "line 1: the output must be a path inside"),
        ('{"sources": ["x.png", "y.png"], "output": "/z.png"}', "line 1: the output must be a path inside"),
        ('{"sources": ["x\\u0000.png", "y.png"]}', "line 1: a path contains a NUL"),
        ('{"sources": ["x.png", "y.png"]}\n{"sources"', "line 2: is not JSON"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in caught.value.message


def test_a_line_may_name_one_file_of_several_pictures() -> None:
    assert parse('{"sources": ["stack.tif"]}')[0].sources == (BASE / "stack.tif",)
    group = parse("stack,output\nstack.tif@2-5,\n")[0]
    assert (group.name, group.sources) == ("stack", (BASE / "stack.tif@2-5",))


def test_two_lines_for_one_output_are_refused() -> None:
    groups = Manifest(lambda: BytesIO(b"a,b\n1/x.png,1/y.png\n2/x.png,2/y.png\n"), name="m", base=BASE)
    with pytest.raises(MismatchError, match="have the name x"):
        make_jobs(groups, Path("out"))


def test_a_header_that_is_none_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    manifest = tmp_path / "pairs.csv"
    manifest.write_text("x.png,y.png\nz.png,w.png\n")
    with pytest.raises(InputError, match="line 1 lists images"):
        list(read_manifest(manifest).groups)


def test_a_column_with_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(f"{'x' * 5000},b\nx.png,y.png\n")
    assert next(read_manifest(manifest).groups).sources == (tmp_path / "x.png", tmp_path / "y.png")


def test_paths_start_at_the_manifests_folder(tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.jsonl"
    manifest.write_text('\ufeff{"sources": ["a.png", "b.png"]}\n')
    assert next(read_manifest(manifest).groups).sources == (tmp_path / "a.png", tmp_path / "b.png")


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv: no such file"):
        list(read_manifest(tmp_path / "absent.csv").groups)
    (tmp_path / "latin.csv").write_bytes(b"a,b\n\xff.png,y.png\n")
    with pytest.raises(InputError, match="line 2 is not UTF-8"):
        list(read_manifest(tmp_path / "latin.csv").groups)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_write_other_separators(mark: str) -> None:
    (group,) = parse(f"visible{mark}infrared\na,1.png{mark}b.png\n")
    assert group.sources == (BASE / "a,1.png", BASE / "b.png")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("text", ["\nvis,ir\na.png,b.png\n", '\n{"sources": ["a.png", "b.png"]}\n'])
def test_lines_end_as_any_system_ends_them(text: str, end: str) -> None:
    if text.startswith("\nvis"):
        text = text[1:]  # the first line of a table names its columns
    assert [group.sources for group in parse(text.replace("\n", end))] == [(BASE / "a.png", BASE / "b.png")]


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="line 2 has more than 1 MiB"):
        parse('{"sources": ["a.png", "b.png"]}\n{"sources": ["' + "x" * (1 << 21))


def test_a_manifest_is_read_as_its_groups_are_taken() -> None:
    class Endless(RawIOBase):
        """The same line for ever."""

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            line = b'{"sources": ["a.png", "b.png"]}\n'
            buffer[: len(line)] = line
            return len(line)

    groups = Manifest(lambda: BufferedReader(Endless()), name="m", base=BASE).groups
    assert [next(groups).name for _ in range(3)] == ["a", "a", "a"]
    groups.close()
