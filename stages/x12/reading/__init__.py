"""From bytes to segments: delimiters, damage, and where things stand. Judges nothing."""
