"""Estimated bodies against joints that were marked by hand in photos: `hmr evaluate-photos`."""
