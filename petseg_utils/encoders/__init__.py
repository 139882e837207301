"""Frozen encoders: built from a spec (``specs``), asked for maps (``base``), their maps kept on disk (``features``)."""
