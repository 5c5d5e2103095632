"""Photos or a video without poses become a capture: structure from motion by pycolmap (optional extra `sfm`)."""
