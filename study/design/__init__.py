"""What will be run, as values: spaces, ranges, plans, stages, trials, records, and the Trainer
contract. Pure; imports text and errors."""
