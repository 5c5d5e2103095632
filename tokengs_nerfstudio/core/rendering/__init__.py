"""Rendering of Gaussians: gsplat on CUDA, its numba twin on the CPU, a readable torch reference."""

from tokengs_nerfstudio.core.rendering.render import contributions, render, render_cameras, render_with_info

__all__ = ["contributions", "render", "render_cameras", "render_with_info"]
