"""Training of a network over many scenes."""
