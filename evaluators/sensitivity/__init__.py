"""Statistics that sensitivity scores are made of: curvature, gradients, injected noise, logit shifts."""
