"""What runs jobs: claims them from the store, shares workers out among them, and keeps a process at work for each."""
