"""Compiled pieces that kernels are made of: windows, means, extremes, sorted windows."""
