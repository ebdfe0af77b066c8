"""`make bench`: what an hour costs, each figure beside an engine floor of the same run. Measures, and never asserts."""
