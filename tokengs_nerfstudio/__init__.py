"""TokenGS for nerfstudio: posed photos in, 3D Gaussians out."""

__version__ = "0.2.0"
