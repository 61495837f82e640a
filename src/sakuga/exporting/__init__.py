"""A style in other forms: other precisions, tensors for PyTorch, a page that needs no server."""
