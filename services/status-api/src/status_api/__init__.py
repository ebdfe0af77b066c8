"""Shows the state of every hour of the pageviews pipeline; reads nothing but the object store."""
