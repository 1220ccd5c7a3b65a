"""What is measured against peers and against the model's own floor; runnable by anyone: make bench."""
