"""How records are saved, a module for each family. `records` finds them, notes what was done and tells how to undo it."""
