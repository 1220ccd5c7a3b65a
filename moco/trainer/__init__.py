"""The study's contract filled in for MoCo: one trial from config to result, and what a plan must
know before. Imports all other rooms of moco, never study."""
