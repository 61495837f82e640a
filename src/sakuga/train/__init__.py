"""Pairs, or photos and drawings, into a checkpoint: `loop.train` reads from top to bottom.

`config` says how, `batches` draws the pictures of a step, `state` learns from them, `objective`
weighs the terms that `losses` defines, `collapse` stops what breaks.
"""
