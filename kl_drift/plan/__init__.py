"""The plan: a YAML file or a mapping becomes typed values, or mistakes with their line."""
