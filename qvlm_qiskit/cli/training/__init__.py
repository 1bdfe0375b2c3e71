"""What `qvlm train` and `qvlm adapter train` share: the model, the machine, the plan, the run."""
