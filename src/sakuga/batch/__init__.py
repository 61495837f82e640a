"""Millions of pictures through a style, on one machine or many, with Ray Data.

`source` lists what is to be painted, window by window; `stages` reads, paints and writes on the
workers; `manifest` remembers what is done; `job` decides what an OUT belongs to; `run` is the flow.
"""
