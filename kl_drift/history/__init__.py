"""What the past teaches: the record of checks, and the references and limits drawn from it."""
