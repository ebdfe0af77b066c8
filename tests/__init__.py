"""The project's tests, and the tools that give them real-looking input."""
