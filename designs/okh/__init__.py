"""Open Know-How manifests, read tolerantly and written strictly; `designs.manifest` is the door."""
