"""From a conversation to token ids and loss weights: the renderer, the masks it applies, what they cover."""
