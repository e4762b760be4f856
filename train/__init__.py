"""`python -m train`: recipe, data, tokens and masks, SFT, student."""
