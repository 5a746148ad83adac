"""The door of Great Expectations: it counts the rows where they are, kl-drift judges."""
