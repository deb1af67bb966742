"""Running a flow: edges, nodes, receipts and settling; lanes and sealing; building, one run, its report, replays.

Knows records and stages, but no vendor and no format. Does no SQL (the ledger's verbs do) and prints nothing.
"""
