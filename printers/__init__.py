"""Printers: what they can make, slicing and guarding G-code for them, and the agent beside them."""
