"""What the region shares, and the rules of sharing."""
