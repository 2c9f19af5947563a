"""Model files: ours, the authors', and everything else that people hand in."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode, ModelError
from tita_cli.models.checkpoint import load_network, save_network
from tita_cli.network import NetworkConfig, build_network

DATA = Path(__file__).parents[1] / "data"
AUTHORS = DATA / "official_small.pth"


@pytest.mark.parametrize("variant", ["tita", "tita-lite"])
def test_round_trip(variant: str, tmp_path: Path) -> None:
    config = NetworkConfig.from_name(variant, dim=8, heads=2, extract=1, fuse=(1, 2), reconstruct=1)
    network = build_network(config)
    save_network(tmp_path / "n.safetensors", network.state_dict(), config, {"seed": "17"})
    loaded = load_network(tmp_path / "n.safetensors")
    assert loaded.config == config
    assert loaded.info == {"seed": "17"}
    assert not loaded.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor)


def _wrapped(kind: str) -> dict[str, Any]:
    state = torch.load(AUTHORS, weights_only=True)
    if kind == "params":
        return {"params": state}
    if kind == "module":
        return {f"module.{name}": tensor for name, tensor in state.items()}
    stale = {n: torch.full_like(t, 9) if n.endswith(("attn_mask", "position_index")) else t for n, t in state.items()}
    stale["fafb_A.hamming_highpass"] = torch.full((1, 1, 3, 3), 5.0)
    return stale


@pytest.mark.parametrize("kind", ["params", "module", "stale buffers"])
def test_authors_file_in_every_dress(kind: str, tmp_path: Path) -> None:
    torch.save(_wrapped(kind), tmp_path / "net.pth")
    with np.load(DATA / "official_small.npz") as z, torch.inference_mode():
        out = load_network(tmp_path / "net.pth").network(torch.from_numpy(z["a"]), torch.from_numpy(z["b"]))
        np.testing.assert_allclose(out.fused.numpy(), z["fused"], atol=1e-5)


def test_convert_keeps_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "small.safetensors"
    assert run(["convert", str(AUTHORS), str(target)]) == 0
    a, b = torch.rand(2, 1, 1, 20, 30)
    with torch.inference_mode():
        expected, got = (load_network(path).network(a, b).fused for path in (AUTHORS, target))
    assert torch.equal(expected, got)
    assert run(["convert", str(AUTHORS), str(target)]) == ExitCode.UNWRITABLE_OUTPUT
    assert run(["convert", str(AUTHORS), str(target), "--force"]) == 0


class _Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def _truncated(path: Path, model: Path) -> Path:
    path.write_bytes(model.read_bytes()[:-100])
    return path


def _edited(path: Path, model: Path, edit: Any) -> Path:
    from safetensors import safe_open

    with safe_open(model, framework="pt") as file:
        header = file.metadata()
    state = load_file(model)
    save_file(edit(state, header) or state, path, metadata=header)
    return path


def _bad_files(folder: Path, model: Path) -> dict[str, Path]:
    files = {
        "missing": folder / "no.safetensors",
        "empty": folder / "empty.safetensors",
        "text": folder / "text.pth",
        "truncated": _truncated(folder / "cut.safetensors", model),
        "truncated authors'": _truncated(folder / "cut.pth", AUTHORS),
        "pickle": folder / "pickle.pth",
        "old pickle": folder / "old.pth",
        "foreign pth": folder / "foreign.pth",
        "foreign safetensors": folder / "foreign.safetensors",
        "list": folder / "list.pth",
    }
    files["empty"].touch()
    files["text"].write_text("<html>quota exceeded</html>")
    torch.save({"w": _Bomb()}, files["pickle"])
    files["old pickle"].write_bytes(pickle.dumps(_Bomb()))
    torch.save({"conv.weight": torch.zeros(1)}, files["foreign pth"])
    save_file({"conv.weight": torch.zeros(1)}, files["foreign safetensors"])
    torch.save([1, 2], files["list"])

    def drop(state: dict[str, torch.Tensor], _: dict[str, str]) -> None:
        state.pop("patch_norm.weight")

    def add(state: dict[str, torch.Tensor], _: dict[str, str]) -> None:
        state["extra"] = torch.zeros(1)

    def reshape(state: dict[str, torch.Tensor], _: dict[str, str]) -> None:
        state["patch_norm.weight"] = torch.zeros(9)

    def poison(state: dict[str, torch.Tensor], _: dict[str, str]) -> None:
        state["patch_norm.weight"][0] = float("nan")

    def lie(_: dict[str, torch.Tensor], header: dict[str, str]) -> None:
        header["config"] = header["config"].replace('"dim": 8', '"dim": 800000')

    def garble(_: dict[str, torch.Tensor], header: dict[str, str]) -> None:
        header["config"] = "[1"

    for name, edit in (
        ("missing tensor", drop), ("unknown tensor", add), ("wrong shape", reshape), ("no number", poison),
        ("absurd size", lie), ("damaged header", garble),
    ):  # fmt: skip
        files[name] = _edited(folder / f"{name}.safetensors", model, edit)
    return files


def test_bad_files_are_one_line_and_execute_nothing(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for what, path in _bad_files(tmp_path, tiny_model).items():
        with pytest.raises(ModelError):
            load_network(path)
        assert run(["convert", str(path), str(tmp_path / "out.safetensors")]) == ExitCode.MODEL, what
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("tita: error: "), what
        assert len(lines) <= 2, what  # the error, and perhaps a hint
    assert not Path("executed").exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_a_missing_tensor_of_the_authors_is_named(tmp_path: Path) -> None:
    state = torch.load(AUTHORS, weights_only=True)
    del state["conv_last3.bias"]
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"last3\.bias"):
        load_network(tmp_path / "net.pth")


def _odd_tensors() -> dict[str, Any]:
    state = torch.load(AUTHORS, weights_only=True)
    name = "conv_first1_A.weight"
    plain = state[name]
    return {
        "sparse": {**state, name: plain.reshape(len(plain), -1).to_sparse()},
        "meta": {**state, name: plain.to("meta")},
        "repeated": {key: torch.zeros(1).expand(4096) if value.ndim == 1 else value for key, value in state.items()},
        "nested": {"params": {"params": {"params": state}}},
        "list": [state],
        "number": 3,
        "of integers": {**state, name: plain.to(torch.int8)},
    }


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("kind", ["sparse", "meta", "repeated", "nested", "list", "number", "of integers"])
def test_tensors_of_odd_kinds_are_refused(kind: str, legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    torch.save(_odd_tensors()[kind], path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match=r"odd\.pth"):
        load_network(path)


@pytest.mark.parametrize(
    "content", [b"\x80", b"\x80\x01{}", b"\x80" + b"\0" * 7 + b"{", b"PK", b"\x80\x02]" + b"]" * 9999, b""]
)
def test_files_that_begin_as_something_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"odd\.safetensors"):
        load_network(path)
