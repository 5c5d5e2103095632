"""The names of the network's parameters here and in the published weight files, translated both ways."""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from tokengs_nerfstudio.core.network.config import NetworkConfig

_BACKBONE = "enc_dec_backbone."

_OUTSIDE_THE_BACKBONE = {
    "image_embedding.conv": "patch_embed.proj",
    "image_embedding.norm": "patch_embed.norm",
    "ray_embedding.conv": "patch_plucker_embed.proj",
    "ray_embedding.norm": "patch_plucker_embed.norm",
    "time_embedding.conv": "patch_time_embed.proj",
    "target_time_embedding.conv": "patch_time_embed_tgt.proj",
    "tokens": "gs_tokens",
    "dynamic_tokens": "gs_tokens_dynamic",
    "head.project": "activation_head.deconv",
}
_ENCODER_BLOCK = {
    "self_norm": "norm1",
    "self_attention.qkv": "attn.qkv",
    "self_attention.query_norm": "attn.q_norm",
    "self_attention.key_norm": "attn.k_norm",
    "self_attention.out": "attn.proj",
    "self_scale": "ls1.gamma",
    "mlp_norm": "norm2",
    "mlp.expand": "mlp.fc1",
    "mlp.contract": "mlp.fc2",
    "mlp_scale": "ls2.gamma",
}
_DECODER_BLOCK = {
    "cross_norm": "gs_cross_attn.gs_token_norm",
    "cross_attention.query": "gs_cross_attn.q_proj",
    "cross_attention.query_norm": "gs_cross_attn.q_norm",
    "cross_attention.out": "gs_cross_attn.out_proj",
    "cross_scale": "gs_cross_attn_scale.gamma",
    "self_norm": "gs_self_attn.norm",
    "self_attention.qkv": "gs_self_attn.gs_self_attn.qkv",
    "self_attention.query_norm": "gs_self_attn.gs_self_attn.q_norm",
    "self_attention.key_norm": "gs_self_attn.gs_self_attn.k_norm",
    "self_attention.out": "gs_self_attn.gs_self_attn.proj",
    "self_scale": "gs_self_attn_scale.gamma",
    "mlp_norm": "mlp.norm",
    "mlp.expand": "mlp.mlp.fc1",
    "mlp.contract": "mlp.mlp.fc2",
    "mlp_scale": "mlp_scale.gamma",
}
_ANCHORS = {
    "anchors.positions": "gs_anchor_xyz_raw",
    "anchors.radii": "gs_anchor_radius_raw",
    "anchors.move.expand": "xyz_embed.fc1",
    "anchors.move.contract": "xyz_embed.fc2",
    "anchors.widen.expand": "radius_embed.fc1",
    "anchors.widen.contract": "radius_embed.fc2",
}
_ANCHORED_BLOCK = {
    **_DECODER_BLOCK,
    "cross_attention.query": "gs_cross_attn.q_content_proj",
    "ray_scale": "gs_cross_attn.geo_scale",
    "position.expand": "anchor_head_self_attn.fc1",
    "position.contract": "anchor_head_self_attn.fc2",
}
_DIRECT = {
    "image_memory.project": "kv_proj",
    "image_memory.key_norm": "k_proj_norm",
}
_BOTTLENECK = {
    "image_memory.project": "latent_feature_kv_proj",
    "image_memory.key_norm": "latent_feature_k_norm",
    "latents": "latents",
    "latent_memory.project": "latent_kv_proj",
    "latent_memory.key_norm": "k_proj_norm",
}


def _table(multiscale: bool, bottleneck: bool, anchors: bool) -> dict[str, str]:
    """Our module names to the published ones; `#` stands for the number of a block."""
    decoder_block = _ANCHORED_BLOCK if anchors else _DECODER_BLOCK
    backbone = {
        "readout_norms.#": "multiscale_norms.#" if multiscale else "encoder_norm",
        **(_BOTTLENECK if bottleneck else _DIRECT),
        **{f"encoder.#.{own}": f"encoder.#.{published}" for own, published in _ENCODER_BLOCK.items()},
        **{f"latent_blocks.#.{own}": f"latent_blocks.#.{published}" for own, published in _DECODER_BLOCK.items()},
        **{f"decoder.#.{own}": f"decoder_blocks.#.{published}" for own, published in decoder_block.items()},
    }
    return _OUTSIDE_THE_BACKBONE | _ANCHORS | {own: _BACKBONE + published for own, published in backbone.items()}


def _renamed(keys: Iterable[str], table: Mapping[str, str]) -> dict[str, str]:
    names = {}
    for key in keys:
        module, leaf = re.fullmatch(r"(.+?)((?:\.weight|\.bias)?)", key).groups()  # type: ignore[union-attr]
        number = re.search(r"\.(\d+)(?=\.|$)", module)
        pattern = module if number is None else module[: number.start(1)] + "#" + module[number.end(1) :]
        # The only norm of a plain read-out carries no number in published files.
        index = number[1] if number else "0"
        names[key] = table[pattern].replace("#", index) + leaf if pattern in table else key
    return names


def is_published(keys: Iterable[str]) -> bool:
    """Whether a file with these keys is in the published layout."""
    return any(key.startswith((_BACKBONE, "gs_tokens", "patch_embed.")) for key in keys)


def count_multiscale(published_keys: Iterable[str]) -> int:
    """How many encoder blocks a published file reads together; 0 for a plain read-out."""
    return sum(key.startswith(_BACKBONE + "multiscale_norms.") and key.endswith(".weight") for key in published_keys)


def to_published(keys: Iterable[str], multiscale: bool) -> dict[str, str]:
    """Our parameter names -> published names, for all keys of one network."""
    keys = list(keys)
    return _renamed(keys, _table(multiscale, bottleneck="latents" in keys, anchors="anchors.positions" in keys))


def to_own(keys: Iterable[str]) -> dict[str, str]:
    """Published parameter names -> ours, for all keys of one file; names unknown to the table stay as they are."""
    keys = list(keys)
    bottleneck, anchors = _BACKBONE + "latents" in keys, _ANCHORS["anchors.positions"] in keys
    table = _table(count_multiscale(keys) > 0, bottleneck, anchors)
    return _renamed(keys, {published: own for own, published in table.items()})


def without_unused(keys: Iterable[str]) -> list[str]:
    """The keys of a file less what published files with anchors carry and their code never reads."""
    unused = re.compile(r"\.gs_cross_attn\.(tau_sample|(anchor|plucker|q_pos|k_pos)_norm\.(weight|bias))$")
    return [key for key in keys if not unused.search(key)]


def unused_tensors(config: NetworkConfig) -> dict[str, Tensor]:
    """What a published file with anchors has beside the tensors that are read, as norms that change nothing."""
    sizes = {"anchor": config.width, "plucker": config.width}
    sizes |= dict.fromkeys(("q_pos", "k_pos"), config.width // config.heads)
    tensors = {}
    for number in range(config.decoder_depth if config.anchors else 0):
        attention = f"{_BACKBONE}decoder_blocks.{number}.gs_cross_attn."
        tensors[attention + "tau_sample"] = torch.ones(())
        for name, size in sizes.items():
            tensors[f"{attention}{name}_norm.weight"] = torch.ones(size)
            tensors[f"{attention}{name}_norm.bias"] = torch.zeros(size)
    return tensors
