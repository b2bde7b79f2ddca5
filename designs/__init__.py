"""Designs: git repositories, their versions and manifests, and what is measured of their meshes."""
