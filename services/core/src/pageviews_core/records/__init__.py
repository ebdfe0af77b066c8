"""The JSON objects that the services leave for each other, as versioned models."""
