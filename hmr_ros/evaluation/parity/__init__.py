"""Whether a network answers alike wherever it runs: `hmr parity`, and the gate of `hmr fp16`."""
