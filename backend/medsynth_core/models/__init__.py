"""Model folders: a card, weights in safetensors, checksums; and where they are found."""
