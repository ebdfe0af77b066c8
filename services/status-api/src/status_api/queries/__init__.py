"""What the API, the pages and the metrics show, computed from the index and the store. Nothing here knows of HTTP."""
