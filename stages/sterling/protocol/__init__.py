"""What the B2B APIs say and how: addresses, bodies, answers, errors, paging. No I/O, no clock, no randomness in here."""
