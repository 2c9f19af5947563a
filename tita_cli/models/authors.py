"""The layout of the TITA authors' released checkpoint, and how its names map to ours.

Their names follow SwinFusion's code; buffers that depend on the training size (``attn_mask``) or are constants are
recomputed and never trusted; the second pair of shallow convolutions is never used by their network and dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tita_cli.errors import ModelError
from tita_cli.network import NetworkConfig

_IGNORED = re.compile(r"(\.attn_mask|\.relative_position_index|\.hamming_highpass)$|^conv_first[12]_B\.")
_MARK = "layers_Fusion.0.residual_group.blocks.0.k_noise.weight"
_OTHER = {"A": "a", "B": "b"}

_PLAIN = {
    "conv_first1_A.": "shallow1.",
    "conv_first2_A.": "shallow2.",
    "patch_embed.norm.": "patch_norm.",
    "norm_Ex_A.": "extracted_norm_a.",
    "norm_Ex_B.": "extracted_norm_b.",
    "norm_Fusion_A.": "crossed_norm_a.",
    "norm_Fusion_B.": "crossed_norm_b.",
    "norm_Re.": "reconstructed_norm.",
    "weight_gen.2.": "oaf.weigh_mlp.",
    "conv_last1.": "last1.",
    "conv_last2.": "last2.",
    "conv_last3.": "last3.",
}
_OPERATIONS = {
    "channel_compressor.": "compress.",
    "ahpf_generator.0.": "low_kernel.",
    "residual_generator.0.": "addend.",
    "weight_generator.0.": "factor.",
}


def unwrap(path: Path, content: Any) -> dict[str, Tensor]:
    """The state dict inside a loaded ``.pth``: under ``params`` or plain, ``module.`` prefixes taken off."""
    for key in ("params_ema", "params", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not all(
        isinstance(k, str) and torch.is_tensor(v) for k, v in content.items()
    ):
        raise ModelError(f"{path}: holds no state dict of tensors")
    return {k.removeprefix("module."): v for k, v in content.items()}


def rename_authors(path: Path, content: Any) -> dict[str, Tensor]:
    """The content of an authors' ``.pth`` → our names and shapes. Raises ``ModelError`` for any other file."""
    theirs = unwrap(path, content)
    if _MARK not in theirs:
        raise ModelError(f"{path}: a checkpoint, but not of TITA ({_MARK} is missing)")
    ours: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        if not _IGNORED.search(name):
            ours.update(_rename(path, name, tensor))
    for prefix in {n.rpartition(".")[0] for n in ours if ".attention" in n and ".qkv." in n}:
        for kind in ("weight", "bias"):
            if f"{prefix}.{kind}" in ours:
                q, kv = _split_qkv(ours.pop(f"{prefix}.{kind}"))
                stem = prefix.removesuffix(".qkv")
                ours[f"{stem}.q.{kind}"], ours[f"{stem}.kv.{kind}"] = q, kv
    return ours


def _split_qkv(tensor: Tensor) -> tuple[Tensor, Tensor]:
    c = tensor.shape[0] // 3
    return tensor[:c], tensor[c:]


def _rename(path: Path, name: str, tensor: Tensor) -> dict[str, Tensor]:
    for prefix, mine in _PLAIN.items():
        if name.startswith(prefix):
            return {mine + name.removeprefix(prefix): tensor}
    if match := re.fullmatch(r"fafb_([AB])\.(.*?\.)(weight|bias)", name):
        side, part, kind = match.groups()
        if part in _OPERATIONS:
            return {f"oaf.operations_{_OTHER[side]}.{_OPERATIONS[part]}{kind}": tensor}
    if match := re.fullmatch(r"layers_(Ex_A|Ex_B|Re)\.0\.residual_group\.blocks\.(\d+)\.(.+)", name):
        stage = {"Ex_A": "extractor_a", "Ex_B": "extractor_b", "Re": "reconstructor"}[match[1]]
        rest = match[3].replace("relative_position_bias_table", "bias.table").replace("attn.", "attention.", 1)
        return {f"{stage}.blocks.{match[2]}.{rest}": tensor}
    if match := re.fullmatch(r"layers_Fusion\.(\d+)\.residual_group\.blocks\.(\d+)\.(.+)", name):
        stem = f"cross.{match[1]}.blocks.{match[2]}."
        return {stem + k: v for k, v in _rename_cross(match[3], tensor).items()}
    raise ModelError(f"{path}: unknown tensor {name} for a TITA checkpoint")


def _rename_cross(name: str, tensor: Tensor) -> dict[str, Tensor]:
    if match := re.fullmatch(r"cross_attn_(0_to_1|1_to_0)\.(.+)", name):
        stem = "ipa.attend_a." if match[1] == "0_to_1" else "ipa.attend_b."
        kind = match[2]
        if kind.startswith("in_proj_"):
            q, k, v = tensor.chunk(3)
            part = kind.removeprefix("in_proj_")
            # The key's bias adds the same number to both scores: it cancels in the softmax, and we do not keep it.
            return {f"{stem}q.{part}": q, f"{stem}v.{part}": v, **({f"{stem}k.weight": k} if part == "weight" else {})}
        return {stem + kind.replace("out_proj.", "out."): tensor}
    name = re.sub(r"^(norm[12]|mlp)_([AB])\.", lambda m: f"{m[1]}_{_OTHER[m[2]]}.", name)
    name = re.sub(r"^attn_([AB])\.", lambda m: f"attention_{_OTHER[m[1]]}.", name)
    name = name.replace("relative_position_bias_table", "bias.table").replace("relation_judger.0.", "ipa.relation.")
    return {name.replace("k_noise.weight", "ipa.noise_k").replace("v_noise.weight", "ipa.noise_v"): tensor}


def config_from_authors(path: Path, state: Mapping[str, Tensor]) -> NetworkConfig:
    """Derive the sizes from the shapes of a renamed state dict."""

    def depth(stage: str) -> int:
        return 1 + max((int(m[1]) for n in state if (m := re.match(rf"{stage}\.blocks\.(\d+)\.", n))), default=-1)

    try:
        groups = 1 + max(int(m[1]) for n in state if (m := re.match(r"cross\.(\d+)\.", n)))
        return NetworkConfig(
            variant="tita",
            dim=int(state["shallow2.weight"].shape[0]),
            heads=int(state["extractor_a.blocks.0.attention.bias.table"].shape[1]),
            extract=depth("extractor_a"),
            fuse=tuple(depth(rf"cross\.{g}") for g in range(groups)),
            reconstruct=depth("reconstructor"),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(f"{path}: tensors of a TITA checkpoint are missing ({error})") from error
