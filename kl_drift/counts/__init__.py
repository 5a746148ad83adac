"""What was counted: where a value falls, how many fell there, and the profile that keeps both."""
