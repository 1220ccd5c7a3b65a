"""What a frozen encoder is worth: kNN, linear probe, attention maps. Imports data, model and
training."""
