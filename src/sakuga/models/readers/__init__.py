"""Files of weights, read without the frameworks that wrote them.

They are data from strangers: nothing in them is executed, and every size, count and offset is
checked before it is used.
"""
