"""One class per wish. A service takes a session and its ports, is given an Identity, and never commits."""
