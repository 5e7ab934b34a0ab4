"""Environment ids and preprocessing presets, resolved to complete specs."""
