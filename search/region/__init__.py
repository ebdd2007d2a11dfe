"""What the trust region is made of: a belief, proposals from it, text that nobody read, and races."""
