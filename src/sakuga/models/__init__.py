"""Every network, as a PyTorch module."""
