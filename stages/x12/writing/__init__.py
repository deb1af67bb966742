"""From business objects to interchanges: mappings compiled by a guide, bodies rendered, envelopes packed."""
