"""What runs packages as jobs: `interface` says what such a service is.

`local` is this computer (`local_process` its detached process), `ibm` IBM Quantum through the
unmodified client (`ibm_outcomes` reads what a request led to), and `decode` reads raw results.
"""
