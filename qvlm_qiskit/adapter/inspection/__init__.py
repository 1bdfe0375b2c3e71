"""What a weight matrix or its update is made of, and matrices as trains of small tensors."""
