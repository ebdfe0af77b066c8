"""Tools that give the tests, the demo and the benchmarks real-looking input.

```text
cut_excerpt     a real hour of Wikimedia's dumps  ->  tests/data (done once, committed)
excerpt         reads that excerpt
dialects        the two ways in which the producer has written its lines
derived_hours   the excerpt  ->  any hour, with a daily curve, noise and spikes; derived, never real
dumps_server    serves such hours over HTTP as dumps.wikimedia.org does (dumps_layout: where each file is)
troubles        what goes wrong with an hour on purpose; bad_lines: with single lines of it
demo_trouble    which hours of the demo have which trouble
```
"""
