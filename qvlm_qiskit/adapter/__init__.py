"""What lies between pretrained parts, or is put into them."""
