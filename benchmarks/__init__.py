"""What is measured against peers and against the model's own floor; run by `make bench`."""
