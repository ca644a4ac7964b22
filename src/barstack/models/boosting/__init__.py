"""Gradient-boosted trees, from the three libraries that do them best."""
