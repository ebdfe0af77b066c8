"""What starts the jobs, as a port: asked what it sees, and to start one now."""
