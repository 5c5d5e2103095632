"""Rendering of Gaussians: gsplat on CUDA, its numba twin on the CPU, a readable torch reference."""

from tokengs_nerfstudio.core.rendering.render import render

__all__ = ["render"]
