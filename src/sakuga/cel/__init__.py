"""The cel painter: a photo into the drawing that a style learns to paint."""
