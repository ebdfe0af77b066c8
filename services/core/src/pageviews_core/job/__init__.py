"""What every job does alike: runs, ticks, requests, the watch loop, exit codes and the verbs of its command line."""
