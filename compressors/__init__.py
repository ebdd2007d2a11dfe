"""Pure tensor functions that quantize, and the bank that keeps what they made."""
