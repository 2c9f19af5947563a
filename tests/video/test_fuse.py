"""Two clips become one: time stamps, audio, depth, pipes, interrupts, and what cannot be read."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from tita_cli.errors import DamagedError, InputError, MismatchError, OutputError, TitaError, UsageError
from tita_cli.options import FuseOptions
from tita_cli.video import Encoding, VideoOptions, VideoResult, fuse_video

WriteClip = Callable[..., Path]
Scene = Callable[..., np.ndarray]
Fuse = Callable[..., VideoResult]
ReadClip = Callable[..., list[tuple[float, np.ndarray]]]


@pytest.fixture
def pair(write_clip: WriteClip, scene: Scene) -> tuple[str, str]:
    """An infrared and a visible clip of eight frames; the visible one has a second of audio."""
    visible, infrared = scene(1), scene(2, grey=True)
    return (
        str(write_clip("ir.mp4", [infrared] * 8)),
        str(write_clip("vis.mp4", [visible] * 8, audio=1)),
    )


@pytest.fixture
def fuse(set_engine: Any) -> Fuse:
    def run(sources: Any, output: Any, *, progress: Any = lambda *_: None, **more: Any) -> VideoResult:
        video = VideoOptions(**{
            name: more.pop(name) for name in ("offset", "steady", "audio", "encoding") if name in more
        })  # fmt: skip
        options = FuseOptions(**{"align": "none", **more})
        return fuse_video(sources, output, options=options, video=video, engine=set_engine, progress=progress)

    return run


def audio_of(path: Path) -> list[float]:
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        return [float(packet.pts * packet.time_base) for packet in container.demux(audio=0) if packet.dts is not None]


def test_times_colour_and_audio_are_the_references(
    pair: tuple[str, str], fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    result = fuse(pair, str(out))
    frames = read_clip(out)
    assert result.frames == len(frames) == 8
    assert result.reference == pair[1]
    np.testing.assert_allclose([time for time, _ in frames], np.arange(8) / 10, atol=1e-3)
    chroma, before = (read_clip(path, "yuv420p")[3][1][96:] for path in (out, pair[1]))
    assert np.abs(chroma.astype(int) - before).mean() < 2
    audio = audio_of(out)
    assert len(audio) >= 6
    assert -0.2 < audio[0] < 0.05
    assert audio[-1] < 0.8


def test_a_variable_rate_is_kept_and_a_slower_clip_held(
    write_clip: WriteClip, scene: Scene, fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    times = [0, 0.05, 0.2, 0.25, 0.6, 0.61]
    steps = [np.full((96, 128, 3), value, np.uint8) for value in (40, 200)]
    visible = write_clip("vis.mkv", [scene(1)] * 6, times=times)
    infrared = write_clip("ir.mkv", [*steps, steps[0]], times=[0, 0.3, 0.6])
    out = tmp_path / "out.mkv"
    fuse([str(infrared), str(visible)], str(out), steady=0.0)
    found = read_clip(out)
    np.testing.assert_allclose([time for time, _ in found], times, atol=1.5e-3)
    means = [pixels.mean() for _, pixels in found]
    assert abs(means[0] - means[1]) < 1 < abs(means[2] - means[1])
    assert abs(means[4] - means[0]) < 2


def test_an_offset_moves_the_second_source(
    pair: tuple[str, str], fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    result = fuse(pair, str(out), offset=Fraction("0.3"))
    assert result.frames == 5
    assert any("goes on after" in note for note in result.notes)
    with pytest.raises(MismatchError, match="shows nothing of the time") as caught:
        fuse(pair, str(tmp_path / "b.mp4"), offset=Fraction(9))
    assert caught.value.hint is not None
    assert not (tmp_path / "b.mp4").exists()


def test_a_rotation_flag_is_obeyed(
    write_clip: WriteClip, scene: Scene, fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    upright = scene(1)
    lying = np.ascontiguousarray(np.rot90(upright, 1))  # put upright by a quarter turn clockwise
    visible = write_clip("vis.mp4", [lying] * 3, turn=True)
    infrared = write_clip("ir.mp4", [np.full_like(upright, 90)] * 3)
    out = tmp_path / "out.mp4"
    result = fuse([str(infrared), str(visible)], str(out), steady=0.0)
    assert (result.width, result.height) == (128, 96)
    plain = write_clip("plain.mp4", [upright] * 3)
    fuse([str(infrared), str(plain)], str(tmp_path / "same.mp4"), steady=0.0)
    turned, same = (read_clip(path)[1][1].astype(int) for path in (out, tmp_path / "same.mp4"))
    assert np.abs(turned - same).mean() < 2


def test_sixteen_bits_in_and_out(
    write_clip: WriteClip, scene: Scene, fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    """A ramp of counts between 29,000 and 31,000, which 8 bits would turn into a dozen steps."""
    counts = np.tile(np.linspace(29000, 31000, 128), (96, 1)).astype(np.uint16)
    infrared = write_clip("ir.mkv", [counts] * 3)
    visible = write_clip("vis.mp4", [scene(1, grey=True)] * 3)
    out = tmp_path / "out.mkv"
    result = fuse([str(infrared), str(visible)], str(out), encoding=Encoding("ffv1"))
    assert result.format == "gray16le"
    assert any("29002 to 30998" in note or "values 29" in note for note in result.notes)
    found = read_clip(out, "gray16le")[1][1]
    assert len(np.unique(found & 255)) > 100


def test_two_streams_of_one_file_and_pipes(
    write_clip: WriteClip, scene: Scene, fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    both = write_clip("both.mkv", [scene(1)] * 4, second=[scene(2, grey=True)] * 4)
    by_name, by_stream = tmp_path / "a.mkv", tmp_path / "b.mkv"
    assert fuse([str(both)], str(by_name)).frames == 4
    fuse([f"{both}@1", f"{both}@2"], str(by_stream))
    into = io.BytesIO()
    pipe = io.BytesIO(both.read_bytes())
    pipe.name = "<stdin>"  # type: ignore[misc]
    assert fuse([pipe], into, encoding=Encoding(container="matroska")).frames == 4
    into.seek(0)
    for (_, one), (_, two), (_, three) in zip(read_clip(by_name), read_clip(by_stream), read_clip(into), strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)
    with pytest.raises(InputError, match="2 video streams"):
        fuse([f"{both}@1", f"{both}@3"], str(tmp_path / "c.mkv"))


def test_an_interrupt_leaves_a_clip_that_plays(
    pair: tuple[str, str], fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    def stop(frames: int, second: float, total: float | None) -> None:
        if frames == 3:
            raise KeyboardInterrupt

    out = tmp_path / "out.mp4"
    result = fuse(pair, str(out), progress=stop)
    assert result.interrupted
    assert len(read_clip(out)) == result.frames == 3
    assert not list(tmp_path.glob(".tita-*"))


def test_the_same_clips_give_the_same_bytes(pair: tuple[str, str], fuse: Fuse, tmp_path: Path) -> None:
    for suffix in ("mkv", "mp4"):
        for name in ("a", "b"):
            fuse(pair, str(tmp_path / f"{name}.{suffix}"))
        one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("a", "b"))
        assert one == two


def test_false_color_becomes_intensity(write_clip: WriteClip, scene: Scene, fuse: Fuse, tmp_path: Path) -> None:
    from tita_cli.images.palettes import palettes

    heat = scene(3, grey=True)[..., 0].astype(int)
    colored = palettes()["ironbow"][np.clip((heat - 32) * 255 // 191, 0, 255)].astype(np.uint8)
    infrared = write_clip("ir.mp4", [np.kron(colored, np.ones((2, 2, 1), np.uint8))] * 2)
    visible = write_clip("vis.mp4", [np.kron(scene(1), np.ones((2, 2, 1), np.uint8))] * 2)
    with pytest.raises(InputError, match="palette"):
        fuse([str(infrared), str(visible)], str(tmp_path / "a.mp4"), false_color="refuse")
    result = fuse([str(infrared), str(visible)], str(tmp_path / "b.mp4"))
    assert any("turned back to intensity" in note for note in result.notes)


def test_a_clip_whose_colours_are_of_no_palette_is_grey_where_intensity_is_told_of_it(
    write_clip: WriteClip, scene: Scene, fuse: Fuse, tmp_path: Path
) -> None:
    tinted = scene(3, grey=True) * np.array([0.2, 0.9, 0.5])
    infrared = write_clip("a.mp4", [np.kron(tinted, np.ones((2, 2, 1))).astype(np.uint8)] * 2)
    visible = write_clip("b.mp4", [np.kron(scene(1), np.ones((2, 2, 1), np.uint8))] * 2)
    told = fuse([str(infrared), str(visible)], str(tmp_path / "c.mp4"), false_color={0: "intensity"})
    assert any("luminance is taken as intensity" in note for note in told.notes)


def test_what_a_clip_cannot_have(
    pair: tuple[str, str], fuse: Fuse, write_clip: WriteClip, scene: Scene, tmp_path: Path
) -> None:
    empty, text, damaged = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "damaged.mkv"
    empty.write_bytes(b"")
    text.write_text("no video\n" * 100)
    damaged.write_bytes(Path(pair[0]).read_bytes()[:600])
    small = write_clip("small.mp4", [scene(5, size=(64, 96))] * 2)
    sound = write_clip("sound.mp4", [], second=[], audio=1)
    out = str(tmp_path / "out.mp4")
    cases: list[tuple[type[TitaError], Any, Any, dict[str, Any]]] = [
        (InputError, [str(tmp_path / "none.mp4"), pair[1]], out, {}),
        (DamagedError, [str(empty), pair[1]], out, {}),
        (DamagedError, [str(text), pair[1]], out, {}),
        (InputError, [str(damaged), pair[1]], out, {}),
        (InputError, [str(sound), pair[1]], out, {}),
        (InputError, [str(tmp_path), pair[1]], out, {}),
        (MismatchError, [str(small), pair[1]], out, {}),
        (UsageError, [*pair, pair[0]], out, {}),
        (UsageError, pair, out, {"encoding": Encoding("nonsense")}),
        (UsageError, pair, out, {"depth": 32}),
        (UsageError, pair, str(tmp_path / "out.webm"), {"encoding": Encoding("ffv1")}),
        (UsageError, pair, out, {"border": "mask"}),
        (UsageError, pair, out, {"audio": 0}),
        (OutputError, pair, str(tmp_path / "out.xyz"), {}),
        (OutputError, pair, str(tmp_path / "out"), {}),
    ]  # fmt: skip
    for kind, sources, target, more in cases:
        with pytest.raises(kind):
            fuse(sources, target, **more)
        assert not Path(target).exists()
        assert not list(tmp_path.glob(".tita-*")), (sources, target)
    assert fuse([pair[1], str(small)], out, resize=True).width == 128


def test_a_damaged_packet_costs_its_frames_only(
    pair: tuple[str, str], write_clip: WriteClip, scene: Scene, fuse: Fuse, tmp_path: Path
) -> None:
    path = write_clip("ir.mkv", [(scene(2, grey=True)[..., 0].astype(np.uint16) << 8)] * 12)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    result = fuse([str(path), pair[1]], str(tmp_path / "out.mp4"))
    assert result.frames >= 5
    assert any("damaged" in note or "goes on after" in note for note in result.notes)


def test_pairs_networks_are_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    from tita_cli.errors import ModelError

    with pytest.raises(ModelError, match="for sets"):
        fuse_video(pair, str(tmp_path / "out.mp4"), options=FuseOptions(model="tita", align="none"))


def test_codecs_and_depths(
    write_clip: WriteClip, pair: tuple[str, str], fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    cases = [
        ("mp4", "hevc", 16, "yuv420p10le"),
        ("mkv", "av1", None, "yuv420p"),
        ("webm", "vp9", None, "yuv420p"),
        ("mkv", "ffv1", None, "yuv420p"),
        ("mov", "mpeg4", None, "yuv420p"),
    ]
    plain = tmp_path / "plain.mp4"
    fuse(pair, str(plain))
    expected = read_clip(plain)[2][1].astype(int)
    for suffix, codec, depth, form in cases:
        out = tmp_path / f"{codec}.{suffix}"
        result = fuse(pair, str(out), encoding=Encoding(codec), depth=depth)
        assert result.format == form
        frames = read_clip(out)
        assert len(frames) == 8
        assert np.abs(frames[2][1].astype(int) - expected).mean() < 6, codec
        assert bool(audio_of(out)) == (suffix != "webm")
        assert any("audio (aac) does not fit" in note for note in result.notes) == (suffix == "webm")


def test_frames_that_the_network_sees_reduced(
    write_clip: WriteClip,
    scene: Scene,
    fuse: Fuse,
    read_clip: ReadClip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two clips that show the same, whatever the shares are, the result does too; the tiny network's gains aside."""
    monkeypatch.setattr("tita_cli.video.fusing.MOST_PIXELS", 5000)
    clip = str(write_clip("a.mp4", [scene(1, size=(192, 256))] * 3))
    out = tmp_path / "out.mkv"
    fuse([clip, clip], str(out), encoding=Encoding("ffv1"))
    one, two = (read_clip(path, "gray")[2][1].astype(int) for path in (clip, out))
    assert np.abs(one - two).mean() < 3


def test_a_calibration_is_applied(
    write_clip: WriteClip, scene: Scene, fuse: Fuse, read_clip: ReadClip, tmp_path: Path
) -> None:
    wide = scene(1, size=(120, 180), grey=True)
    visible = write_clip("vis.mp4", [wide[10:106, 20:148]] * 3)
    infrared = write_clip("ir.mp4", [wide[10:106, 8:136]] * 3)  # 12 pixels to the left
    matrices = ([[1, 0, -12], [0, 1, 0], [0, 0, 1]], np.eye(3).tolist())
    calibration = {
        "kind": "calibration", "format": 1, "reference": 2, "shots": 3, "spread_px": 0.1,
        "sources": [{"size": [128, 96], "matrix": matrix} for matrix in matrices],
    }  # fmt: skip
    out = tmp_path / "out.mkv"
    result = fuse(
        [str(infrared), str(visible)],
        str(out),
        align="auto",
        align_from=calibration,
        value_range="full",
        encoding=Encoding("ffv1"),
    )
    assert 112 <= result.width <= 116
    assert (result.placements[0].matrix[0, 2], result.height) == (-12, 96)
    fused, own = read_clip(out, "gray")[1][1].astype(int), read_clip(visible, "gray")[1][1].astype(int)
    assert np.abs(fused - own[:, : result.width]).mean() < 4


class _Full(io.BytesIO):
    """A disk on which there is room for little."""

    def write(self, data: Any) -> int:
        if self.tell() > 2000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_ends_it(pair: tuple[str, str], fuse: Fuse, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="No space left"):
        fuse(pair, _Full(), encoding=Encoding("ffv1", container="matroska"))
    assert capfd.readouterr().err == ""
