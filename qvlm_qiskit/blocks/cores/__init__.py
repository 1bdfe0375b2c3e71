"""The parts of a core: its shape, the angles of its features, the circuit, and the twin."""
