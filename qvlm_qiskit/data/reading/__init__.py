"""From files of others to samples: rows, their pictures, splits that leak nothing, bad rows."""
