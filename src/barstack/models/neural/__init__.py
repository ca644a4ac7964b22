"""Neural networks, written in PyTorch, which is imported only when one is used."""
