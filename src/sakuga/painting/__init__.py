"""A photo becomes anime: one loaded style, its windows, its strokes, whole pictures."""
