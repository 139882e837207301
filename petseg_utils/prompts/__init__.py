"""Prompts: clicks as heat maps, a simulated user who makes them, and scores of the dialogue."""
