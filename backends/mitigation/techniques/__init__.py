"""The techniques, a file each; a file's name is the technique's, and puts it everywhere.

A file holds the technique's parameters, what it says about itself, where it works, whether "auto"
tries it, and the estimator that does it. Mathematics that several share is one folder up.
"""
