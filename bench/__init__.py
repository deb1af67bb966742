"""What is claimed about speed, measured side by side in one run against a stated floor. Ratios, never absolute times."""
