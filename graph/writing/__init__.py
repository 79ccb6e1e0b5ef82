"""What the rooms' writers of native source share: how text is laid out, how a graph becomes the body of a function."""
