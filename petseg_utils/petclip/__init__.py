"""petclip-mini: a small CLIP of our own, trained on captioned photos of pets."""
