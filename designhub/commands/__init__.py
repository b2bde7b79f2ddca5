"""The commands, by kind. `designhub.cli` imports each when it is used."""
