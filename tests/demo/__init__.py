"""`make demo`: the whole pipeline over hours derived from a small real excerpt, with trouble that it heals."""
