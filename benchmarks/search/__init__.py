"""The race of search methods: unseen loss against tokens, on the reference model and on one that nobody tuned on."""
