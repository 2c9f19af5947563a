"""Exported files: what they hold, how they are cut, and that they do what the network does."""

from __future__ import annotations

import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.cli.main import run as tita
from tita_cli.errors import ModelError, TitaError, UsageError
from tita_cli.models.checkpoint import load_network, save_network
from tita_cli.models.find import file_hash
from tita_cli.models.onnx_file import OnnxFile
from tita_cli.network import NetworkConfig, build_network, variants
from tita_cli.network.spec import Spec
from tita_cli.runtime import load_engine
from tita_cli.runtime.onnx_cpu import CpuRunner, OnnxSteps
from tita_cli.runtime.onnx_session import CPU, Place
from tita_cli.runtime.onnx_whole import WholeRunner
from tita_cli.runtime.tiles import run

CLOSE = 1e-5


def pair(h: int, w: int, batch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(h * w).random((2, batch, 1, h, w), dtype=np.float32)
    return a, b


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small TITA with a shifted block as safetensors, and as what ``tita export`` makes of it."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(5)
    config = NetworkConfig.from_name("tita", dim=8, heads=2, extract=1, fuse=(2,), reconstruct=1)
    network = build_network(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    source, target = folder / "small.safetensors", folder / "small.onnx"
    save_network(source, network.state_dict(), config, {"recipe": "random"})
    assert tita(["export", "--model", str(source), "-o", str(target), "--quiet"]) == 0
    return source, target


@pytest.mark.slow
def test_a_file_gives_any_runtime_what_the_network_gives(exported: tuple[Path, Path]) -> None:
    source, target = exported
    session = onnxruntime.InferenceSession(target.read_bytes(), providers=[CPU])
    assert [value.name for value in session.get_inputs()] == ["a", "b"]
    assert [value.name for value in session.get_outputs()] == ["fused", "weights"]
    for batch, h, w in ((1, 1, 1), (2, 50, 31)):
        a, b = pair(h, w, batch)
        fused, weights = session.run(None, {"a": a, "b": b})
        with torch.inference_mode():
            out = load_network(source).network(torch.from_numpy(a), torch.from_numpy(b))
        np.testing.assert_allclose(fused, out.fused.numpy(), atol=CLOSE)
        np.testing.assert_allclose(weights, out.weights.numpy(), atol=CLOSE)


@pytest.mark.slow
def test_a_file_says_what_it_is(exported: tuple[Path, Path]) -> None:
    source, target = exported
    about = OnnxFile(target).about
    assert about["variant"] == "tita"
    assert about["weights_sha256"] == file_hash(source)
    assert "Apache-2.0" in about["licence"]
    assert about["weights.recipe"] == "random"
    session = onnxruntime.InferenceSession(target.read_bytes(), providers=[CPU])
    others = session.get_modelmeta().custom_metadata_map
    assert {key.removeprefix("tita."): value for key, value in others.items()} == about
    assert b"/site-packages/" not in target.read_bytes()


@pytest.mark.slow
def test_a_files_steps_hold_no_large_weights_of_their_own(exported: tuple[Path, Path]) -> None:
    import onnx

    onnx.checker.check_model(onnx.load(exported[1]))
    with zipfile.ZipFile(exported[1]) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            if name.endswith(".onnx"):
                graph = onnx.load_model_from_string(archive.read(name)).graph
                assert all(len(tensor.raw_data) < 1024 for tensor in graph.initializer)


@pytest.mark.slow
def test_cut_and_tiled_it_is_the_same_result(exported: tuple[Path, Path]) -> None:
    network, file = load_network(exported[0]).network, OnnxFile(exported[1])
    runner = CpuRunner(OnnxSteps(file), file.spec, threads=2)
    assert file.spec == network.spec

    @settings(max_examples=5, deadline=None)
    @given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([None, 2, 3]))
    def check(h: int, w: int, side: int | None) -> None:
        a, b = pair(h, w)
        with torch.inference_mode():
            out = network(torch.from_numpy(a), torch.from_numpy(b))
        luminance, weights = run(runner, [a[0, 0], b[0, 0]], side)
        np.testing.assert_allclose(luminance, out.fused[0, 0].numpy(), atol=CLOSE)
        np.testing.assert_allclose(weights, out.weights[0].numpy(), atol=CLOSE)

    check()
    a, b = (image[0, 0] for image in pair(50, 31))
    fused, *_ = WholeRunner(file, Place(CPU), 1).run(a[None, None], b[None, None])  # as with other providers
    np.testing.assert_allclose(fused[0, 0], run(runner, [a, b], None).luminance, atol=CLOSE)


@pytest.mark.slow
def test_a_damaged_file_is_refused_and_never_crashes(exported: tuple[Path, Path], tmp_path: Path) -> None:
    data = exported[1].read_bytes()
    rng = np.random.default_rng(0)
    mangled = bytearray(data)
    for place in rng.integers(0, len(data), 40):
        mangled[place] = rng.integers(256)
    damages: dict[str, bytes] = {
        "empty": b"",
        "text": b"not a model",
        "half": data[: len(data) // 2],
        "without its end": data[:-100],
        "without its beginning": data[1000:],
    }
    for name, damaged in damages.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=path.name):
            load_engine(str(path), device="cpu")
    path = tmp_path / "mangled.onnx"
    path.write_bytes(bytes(mangled))
    with suppress(TitaError):  # or only weights were hit
        load_engine(str(path), device="cpu")


@pytest.mark.slow
def test_half_precision_is_cut_and_tiled_like_any_other(exported: tuple[Path, Path], tmp_path: Path) -> None:
    import onnx

    from tita_cli.export.container import pack
    from tita_cli.export.graph import Graph
    from tita_cli.export.precision import to_fp16
    from tita_cli.export.subject import cut_names

    whole, (a, b) = onnx.load(exported[1]), (image[0, 0] for image in pair(70, 50))
    path, file = tmp_path / "fp16.onnx", OnnxFile(exported[1])
    graph = Graph(load_network(exported[0]).network).eval()
    graph(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16))
    path.write_bytes(pack(to_fp16(whole), cut_names(graph)[1], file.spec.to_json(), "fp16", None, {}))
    (expected, *_) = onnxruntime.InferenceSession(path, providers=[CPU]).run(
        None, {"a": a[None, None], "b": b[None, None]}
    )
    runner = CpuRunner(OnnxSteps(OnnxFile(path)), file.spec, threads=1)
    for side in (None, 2):
        np.testing.assert_allclose(run(runner, [a, b], side).luminance, expected[0, 0], atol=0.02)
    reference = run(CpuRunner(OnnxSteps(file), file.spec, threads=1), [a, b], None).luminance
    error = np.abs(reference - expected[0, 0]).mean()
    assert 0 < error < 0.005 * reference.std()


def test_a_precision_that_is_not_known(tiny_model: Path, tmp_path: Path) -> None:
    from tita_cli.export.export import export

    with pytest.raises(UsageError) as caught:
        export(tiny_model, tmp_path / "model.onnx", precision="int8")
    assert caught.value.hint == "one of fp32, fp16"


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    for name, content in (("other", {"format": "tita-onnx-9"}), ("none", {}), ("list", [])):
        path = tmp_path / f"{name}.onnx"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("tita.json", json.dumps(content))
        with pytest.raises(ModelError, match=path.name):
            OnnxFile(path)


@pytest.mark.slow
def test_a_file_of_one_size_takes_that_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = NetworkConfig.from_name("tita", dim=4, heads=1, extract=1, fuse=(1,), reconstruct=1)
    source, target = tmp_path / "one.safetensors", tmp_path / "one.onnx"
    save_network(source, build_network(config).state_dict(), config)
    export = ["export", "-m", str(source), "-o", str(target)]
    assert tita([*export, "--size", "16x20"]) == 2
    assert "multiples of 8" in capsys.readouterr().err
    assert tita([*export, "--size", "16x24"]) == 0
    engine = load_engine(str(target), device="cpu")
    a, b = pair(16, 24)
    with torch.inference_mode():
        out = load_network(source).network(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(engine.fuse(a[0, 0], b[0, 0]).fused, out.fused[0, 0].clamp(0, 1).numpy(), atol=CLOSE)
    with pytest.raises(ModelError, match="24×16 pixels only"):
        engine.fuse(a[0, 0].T, b[0, 0].T)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "model.bin"], 4, "OUT.onnx"),
        (["-o", "model.onnx", "--size", "big"], 2, "HxW"),
        (["-o", "model.onnx", "--size", "8x8", "--dynamic"], 2, "contradict"),
        (["-o", "model.onnx", "--opset", "9"], 2, "18 to 20"),
        (["-o", "model.onnx", "-m", "no-such-model"], 6, "no-such-model"),
    ],
)
def test_what_cannot_be_exported(
    arguments: list[str], code: int, words: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    model = [] if "-m" in arguments else ["-m", str(tiny_model)]
    assert tita(["export", *model, *arguments]) == code
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("model*"))


def test_without_the_exporters_libraries_a_line_says_what_to_install(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tita_cli.errors.find_spec", lambda name: None)
    assert tita(["export", "--model", str(tiny_model), "-o", str(tmp_path / "out.onnx")]) == 7
    assert "pip install torch onnx" in capsys.readouterr().err
    assert list(tmp_path.glob("*.onnx")) == []


@pytest.mark.parametrize("variant", variants())
def test_what_a_network_declares_survives_its_file(variant: str) -> None:
    spec = build_network(NetworkConfig.from_name(variant)).spec
    assert Spec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "triple"}, {"token": 0}, {"dim": "48"}, {"shallow_reach": -1},
        {"encoder": []}, {"decoder": [{"name": "x", "shifts": [3], "joint": False}]},
        {"colour": 1},
        {"decoder": [{"name": "x", "shifts": [0], "joint": True}]}, {"encoder": [{"name": "a/b", "shifts": [0]}]},
    ],
)  # fmt: skip
def test_what_no_network_declares_is_refused(change: dict[str, Any]) -> None:
    fields = json.loads(build_network(NetworkConfig.from_name("tita-lite")).spec.to_json())
    with pytest.raises(ModelError, match="description"):
        Spec.from_json(json.dumps(fields | change))


def test_an_exporter_that_errs_writes_nothing(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tita_cli.export import export

    monkeypatch.setattr(export, "_to_onnx", lambda *_: None)
    monkeypatch.setattr(export, "_describe", lambda *_: None)
    monkeypatch.setattr(export, "pack", lambda *_: b"")
    monkeypatch.setattr(export, "_checks", lambda *_: [export.Check(1, 9, 9, 0), export.Check(1, 9, 9, float("nan"))])
    with pytest.raises(ModelError, match="not written"):
        export.export(tiny_model, tmp_path / "model.onnx")
    assert not list(tmp_path.glob("model*"))
