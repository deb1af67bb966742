"""The command: its verbs, how it speaks, its exit codes. The only place that prints, and the only one that knows the terminal."""
