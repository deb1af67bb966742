"""Whether interchanges keep the standard and a partner's guide: every finding, with its place and code."""
