"""Arrays in, numbers out: this package has never heard of columns, files, limits or Arrow."""
