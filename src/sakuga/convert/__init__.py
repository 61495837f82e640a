"""Networks into styles and styles into other forms.

Other people's weights are read without their frameworks; sources are data from strangers: nothing
in them is executed, and every size, count and offset is checked before it is used.
"""
