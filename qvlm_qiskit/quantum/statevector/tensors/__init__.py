"""The same in torch operations: `executor` runs `steps`, whose matrices come from `gate_bank`."""
