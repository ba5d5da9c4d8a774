"""What the doors for programs share, for doors never import each other: who asks, how a body is read, what is refused.

How a refusal is written down is each door's own: api/problems.py as RFC 9457, taxii/errors.py as TAXII 2.1 says.
"""
