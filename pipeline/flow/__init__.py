"""From a flow file to a checked graph: YAML with positions, references, expressions, every finding at once. Connects to nothing."""
