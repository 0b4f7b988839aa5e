"""What the engines share: the path from data to noise, samplers, distillation."""
