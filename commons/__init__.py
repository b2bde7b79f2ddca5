"""The commons: who did what, what it took, and who is owed, in an open book."""
