"""Noisy states as vectors of Pauli components.

`noisy_program` turns an ISA circuit and a noise into real matrices (`superoperators`), `plan` fuses
them, `binding` puts angles in, `engine` applies them, `readout` gives values and shots;
`by_cones` splits what is too wide.
"""
