"""What leaves: an alert goes out through a channel and comes back as a receipt."""
