"""Cameras and pictures: the frame of a scene, rays, sizes, mirrors."""
