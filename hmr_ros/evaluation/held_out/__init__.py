"""How a lifting network is measured on synthetic people (for ``hmr evaluate``)."""
