"""Pictures to train on: one module for each verb of `sakuga prepare`, and what they share.

A set of pictures (`picture_set`) is a folder with two journals (`journal`): what is there and what
is not. `coco` and `safebooru` choose what `download` fetches; `pairs` holds what `train` learns
from.
"""
