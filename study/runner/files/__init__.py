"""Files between machines: inputs to the nodes, trials' files back to the study's folder."""
