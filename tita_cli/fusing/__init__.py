"""From sources to one picture: what is read and how it is prepared, and the tree of fusions two by two."""
