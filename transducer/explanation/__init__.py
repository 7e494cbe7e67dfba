"""Which nodes of a graph a transducer's tokens read, as numbers (`reading`) and as one self-contained page (`page`)."""
