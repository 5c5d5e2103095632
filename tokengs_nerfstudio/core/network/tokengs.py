"""The TokenGS network: posed images in, 3D Gaussians out, all in the canonical frame.

Three verbs: `encode` turns context views into a memory, `initial_tokens` are the learned queries, `decode` lets the
queries attend to the memory and turns each into a handful of Gaussians (arXiv 2604.15239, section 3).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.anchors import Anchors, patch_rays
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.decoder_inputs import check_tokens, first_moving, target_times, times_apart
from tokengs_nerfstudio.core.network.decoders import AnchoredDecoder, TokenAnchors, TokenDecoder
from tokengs_nerfstudio.core.network.finishing import finished
from tokengs_nerfstudio.core.network.initial import InitialValues
from tokengs_nerfstudio.core.network.inputs import EncoderInputs, encoder_inputs
from tokengs_nerfstudio.core.network.layers import (
    RAW_CHANNELS,
    Encoder,
    GaussianHead,
    MemoryProjection,
    PatchEmbedding,
    TimeEmbedding,
    time_channels,
)
from tokengs_nerfstudio.core.network.memory import DecodedStages, SceneMemory
from tokengs_nerfstudio.core.network.photo_colors import PhotoColors
from tokengs_nerfstudio.core.network.surfaces import SurfaceHead, SurfacePull
from tokengs_nerfstudio.core.network.sweep import CHANNELS, SHRINK
from tokengs_nerfstudio.core.types import Gaussians, Views

Precision = Literal["fp32", "bf16"]


class TokenGSNetwork(nn.Module):
    """Encoder, tokens, decoder and Gaussian head; the parts a variant lacks are None.

    `precision` is the arithmetic of encoder and decoder: "fp32" (or what an autocast around the call says) or "bf16".
    The head always runs in the precision of its parameters. `initial` is what untrained parameters are (None: the
    published values).
    """

    def __init__(
        self, config: NetworkConfig, precision: Precision = "fp32", initial: InitialValues | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.precision: Precision = precision
        self.initial = InitialValues() if initial is None else initial
        width, heads, hidden, patch = config.width, config.heads, config.mlp_width, config.patch_size

        self.image_embedding = PatchEmbedding(3, width, patch)
        self.ray_embedding = PatchEmbedding(6, width, patch)
        swept_patch = patch // SHRINK
        self.sweep_embedding = PatchEmbedding(CHANNELS, width, swept_patch) if config.sweep else None
        has_time = config.time_channels > 0
        self.time_embedding = TimeEmbedding(config.time_channels, width, patch) if has_time else None
        self.target_time_embedding = TimeEmbedding(config.time_channels, width, patch) if has_time else None

        self.encoder = Encoder(config.encoder_depth, width, heads, hidden, self.initial.encoder_scale)
        read = max(len(config.multiscale_layers), 1)
        self.readout_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(read))
        self.image_memory = MemoryProjection(read * width, width, heads)

        self.latents = nn.Parameter(torch.empty(config.latents, width)) if config.latents else None
        self.latent_blocks = TokenDecoder(config.latent_depth, width, heads, hidden, self.initial.encoder_scale)
        self.latent_memory = MemoryProjection(width, width, heads) if config.latents else None

        self.tokens = nn.Parameter(torch.empty(config.tokens, width))
        self.dynamic_tokens = nn.Parameter(torch.empty(config.dynamic_tokens, width)) if config.dynamic_tokens else None
        self.anchors = TokenAnchors(config) if config.anchors else None
        blocks = (config.decoder_depth, width, heads, hidden, self.initial.decoder_scale)
        timed = has_time and config.photo_colors
        self.decoder = AnchoredDecoder(*blocks, timed) if config.anchors else TokenDecoder(*blocks)
        self.head = GaussianHead(
            width,
            config.gaussians_per_token,
            config.z_offset,
            config.opacity_bias,
            config.scale_cap,
            config.opacity_floor,
            config.head,
        )
        per_token = config.gaussians_per_token
        self.photo_colors = PhotoColors(width, per_token, has_time) if config.photo_colors else None
        self.surface_head = SurfaceHead(width, patch) if config.surfaces else None
        self.surface_pull = SurfacePull(width, per_token, has_time) if config.surfaces else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Starting values of what the layers do not set themselves: tokens, latents, anchors, head, time."""
        nn.init.normal_(self.tokens, std=self.initial.token_std)
        if self.dynamic_tokens is not None:
            nn.init.normal_(self.dynamic_tokens, std=self.initial.token_std)
        if self.latents is not None:
            nn.init.normal_(self.latents, std=self.initial.latent_std)
        if self.anchors is not None:
            self.anchors.reset(self.initial.update_scale)
        for embedding in (self.time_embedding, self.target_time_embedding):
            if embedding is not None:
                nn.init.zeros_(embedding.conv.weight)
                nn.init.zeros_(embedding.conv.bias)  # type: ignore[arg-type]
        self.initial.set_head(self.head.project, RAW_CHANNELS, self.config.scale_cap)

    @property
    def num_tokens(self) -> int:
        """Static and dynamic tokens together."""
        return self.config.tokens + self.config.dynamic_tokens

    @property
    def num_gaussians(self) -> int:
        return self.num_tokens * self.config.gaussians_per_token

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(
        self,
        context: Views,
        time: float | Float[Tensor, " batch"] | None = None,
        after: Sequence[int] | None = None,
    ) -> Gaussians | DecodedStages:
        """Gaussians [batch gaussian] of `context`, from the learned tokens: `encode`, then `decode` at `time`.

        The way from photos to Gaussians in one call, which is what a wrapper for distributed training can wrap. With
        `after` the stages that `decode_stages` gives.
        """
        memory = self.encode(context)
        return self.decode(memory, time=time) if after is None else self.decode_stages(memory, after, time=time)

    def encode(self, context: Views) -> SceneMemory:
        """The memory of `context` (images [batch view 3 height width], canonical frame) for `decode`.

        Raises ValueError for a missing batch axis, for images that are no multiple of the patch, and for context
        views without times where the network embeds time. A network without time ignores times.
        """
        return self.memory_of(self.inputs(context), context)

    def inputs(self, context: Views) -> EncoderInputs:
        """What `encode` reads of `context`, in the parameters' precision; nothing in it is learned. Errors as there."""
        return encoder_inputs(context.to(dtype=self.tokens.dtype), self.config)

    def memory_of(self, inputs: EncoderInputs, context: Views) -> SceneMemory:
        """The rest of `encode`, from `inputs` of `context`."""
        if self.latents is not None:
            return self.memory_from_latents(self._encode_latents(inputs))
        memory = self._encode(inputs)
        return memory if self.photo_colors is None else replace(memory, photos=context.to(dtype=self.tokens.dtype))

    def encode_latents(self, context: Views) -> Float[Tensor, "batch latent dim"]:
        """The scene latents of `context`: what latent tuning moves. ValueError for a network without latents."""
        return self._encode_latents(self.inputs(context))

    def memory_from_latents(self, latents: Float[Tensor, "batch latent dim"]) -> SceneMemory:
        """The decoder's memory of scene latents that `encode_latents` returned, tuned or not."""
        if self.latent_memory is None:
            raise UserError(self._no_latents())
        with self._autocast():
            return self.latent_memory(latents)

    def initial_tokens(self, batch: int) -> Float[Tensor, "{batch} token dim"]:
        """The learned tokens, static ones first, for each of `batch` scenes (a view: clone before writing)."""
        parts = (self.tokens,) if self.dynamic_tokens is None else (self.tokens, self.dynamic_tokens)
        return torch.cat(parts).expand(batch, -1, -1)

    def decode(
        self,
        memory: SceneMemory,
        tokens: Float[Tensor, "batch token dim"] | None = None,
        time: float | Float[Tensor, " batch"] | None = None,
    ) -> Gaussians:
        """Gaussians [batch gaussian] in the canonical frame, from the learned tokens or from tuned ones.

        `time` in [0, 1], on the scale of the context's times, is needed by networks that embed time (ValueError
        without) and ignored by others. `tokens` stay as they are; in a network with anchors each has its own learned
        one, so it wants as many tokens as it has and a memory with rays (ValueError else).
        """
        tokens = self._tokens_for(memory, tokens)
        times = target_times(time, tokens, self.config)
        return self._decode(memory, tokens, self._channels(times), times_apart(memory, times, tokens, self.config))

    def decode_stages(
        self,
        memory: SceneMemory,
        after: Sequence[int] = (),
        tokens: Float[Tensor, "batch token dim"] | None = None,
        time: float | Float[Tensor, " batch"] | None = None,
    ) -> DecodedStages:
        """What `decode` would give if the decoder ended after each of the blocks `after`, and the anchors there.

        Blocks are numbered from 1, ascending (ValueError else); none for the last one alone.
        """
        blocks, depth = tuple(after) or (len(self.decoder),), len(self.decoder)
        if list(blocks) != [number for number in range(1, depth + 1) if number in blocks]:
            raise UserError(f"blocks to decode after are {blocks}; they must be ascending numbers from 1 to {depth}")
        tokens = self._tokens_for(memory, tokens)
        times = target_times(time, tokens, self.config)
        apart = times_apart(memory, times, tokens, self.config)
        walked = self._walked(memory, tokens, self._channels(times), apart)
        stages = [walked[number - 1] for number in blocks]
        gaussians = [self._gaussians(memory, tokens, anchors, apart) for tokens, anchors in stages]
        anchors = [anchors.centers for _, anchors in stages if anchors is not None]
        return DecodedStages(
            Gaussians.joined(gaussians, lambda fields: torch.stack(fields, dim=1)),
            torch.stack(anchors, dim=1) if anchors else None,
            memory.surfaces,
            self.config.dynamic_tokens * self.config.gaussians_per_token,
        )

    def _tokens_for(self, memory: SceneMemory, tokens: Tensor | None) -> Tensor:
        """The given tokens or the learned ones; ValueError where they or the memory do not fit the network."""
        tokens = self.initial_tokens(memory.keys.shape[0]) if tokens is None else tokens
        check_tokens(tokens, memory, self.config)
        return tokens

    def _channels(self, times: Tensor | None) -> Tensor | None:
        return None if times is None else time_channels(times, self.config.time_channels)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.tokens.device.type, dtype=torch.bfloat16)

    def _encode(self, inputs: EncoderInputs) -> SceneMemory:
        with self._autocast():
            features = self._features(inputs)
            memory = self.image_memory(features)
            if self.surface_head is not None and inputs.costs is not None:
                memory = replace(memory, surfaces=self.surface_head(features, inputs.costs))
        return memory if self.anchors is None else replace(memory, rays=patch_rays(inputs.rays, self.config.patch_size))

    def _encode_latents(self, inputs: EncoderInputs) -> Tensor:
        if self.latents is None:
            raise UserError(self._no_latents())
        memory = self._encode(inputs)
        latents = self.latents.expand(inputs.images.shape[0], -1, -1)
        with self._autocast():
            return self.latent_blocks(latents, memory)

    def _features(self, inputs: EncoderInputs) -> Float[Tensor, "batch memory dim"]:
        x = self.image_embedding(inputs.images) + self.ray_embedding(inputs.rays)
        if self.sweep_embedding is not None and inputs.points is not None:
            x = x + self.sweep_embedding(inputs.points)
        if self.surface_head is not None and inputs.costs is not None:
            x = x + self.surface_head.embedded(inputs.costs)
        if self.time_embedding is not None and inputs.times is not None:
            x = x + self.time_embedding(inputs.times)[:, :, None]
        layers = self.config.multiscale_layers or (self.config.encoder_depth - 1,)
        outputs = self.encoder(x.flatten(1, 2), layers)
        return torch.cat([norm(output) for norm, output in zip(self.readout_norms, outputs)], dim=-1)

    def _decode(
        self, memory: SceneMemory, tokens: Tensor, channels: Tensor | None, apart: Tensor | None = None
    ) -> Gaussians:
        return self._gaussians(memory, *self._walked(memory, tokens, channels, apart)[-1], apart)

    def _gaussians(
        self, memory: SceneMemory, tokens: Tensor, anchors: Anchors | None, apart: Tensor | None
    ) -> Gaussians:
        parts = (self.surface_pull, self.photo_colors, self.config.footprint)
        return finished(self.head(tokens, anchors), tokens, memory, *parts, apart)

    def _walked(
        self, memory: SceneMemory, tokens: Tensor, channels: Tensor | None, apart: Tensor | None
    ) -> list[tuple[Tensor, Anchors | None]]:
        """Tokens and anchors after each block of the decoder."""
        first = first_moving(tokens.shape[1], self.config)
        static = first if self.config.dynamic_tokens else None
        with self._autocast():
            if self.target_time_embedding is not None and channels is not None:
                shift = self.target_time_embedding(channels)[:, None]
                tokens = torch.cat([tokens[:, :first], tokens[:, first:] + shift], dim=1)
            if self.anchors is None:
                return [(tokens := block(tokens, memory, static), None) for block in self.decoder]
            if apart is not None and memory.rays is not None:
                apart = apart.mT.repeat_interleave(memory.rays.shape[1] // apart.shape[1], dim=-1)
            anchors, walked = self.anchors.begin(tokens.shape[0]), []
            for block in self.decoder:
                tokens = block(tokens, memory, anchors, static, apart)
                anchors = self.anchors(anchors, tokens)
                walked.append((tokens, anchors))
        return walked

    def _no_latents(self) -> str:
        return "this network has no latent bottleneck (config.latents is 0); use encode() and tune its tokens"
