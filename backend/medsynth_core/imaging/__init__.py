"""Steps between a user's grid and a model's grid, the same in training and inference."""
