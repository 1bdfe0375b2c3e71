"""What a company adds to qvlm-qiskit: each module is one part, named by an entry point."""
