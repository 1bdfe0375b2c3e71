"""What torch asks beside numbers: devices, memory, transforms, threads, precision, operators."""
