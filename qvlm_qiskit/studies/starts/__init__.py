"""Does a circuit that begins at a trained tensor network train better?

`options` says which circuits, `costs` what they minimise, `matrix_products` trains the tensor
network and writes it as gates, `circuits` puts every start into one circuit, `cells` measures
gradients and trains, `summary` reduces the rows, and `study` puts these together.
"""

from qvlm_qiskit.studies.starts.study import StartsStudy as StartsStudy
