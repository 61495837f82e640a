"""A search for settings: `study` runs short trainings, `objective` scores them."""
