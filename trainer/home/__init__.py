"""Teaching a model the sounds of one home, and comparing it with the model in use."""
