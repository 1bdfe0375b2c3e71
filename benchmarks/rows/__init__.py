"""What the benchmarks measure, row by row; `tables` shows it."""
