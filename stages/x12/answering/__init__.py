"""What is answered to interchanges: TA1, 997, 999, 824 and 855 read, written, and matched with what was sent."""
