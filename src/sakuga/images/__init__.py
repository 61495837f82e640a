"""Pictures in files and in memory: read, listed, written; nothing here knows of styles."""
