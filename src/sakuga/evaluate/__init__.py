"""What a style does, measured: `measure` looks at systems through a feature network (`metrics`) and
by statistics of the pictures themselves (`statistics`); `report` writes the page.
"""
