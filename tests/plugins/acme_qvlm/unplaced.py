"""A block around one of the package's circuits: tokens without their positions."""

from qvlm_qiskit.blocks import CircuitBlock, register_block


@register_block("unplaced")
class Unplaced(CircuitBlock):
    """Token embeddings through a circuit, whatever their positions."""

    place = "text"

    def forward(self, embeddings, position_ids):
        return self.mixed(embeddings)
