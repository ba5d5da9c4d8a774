"""What keeps a whole installation running on one machine: `kentongan up`."""
