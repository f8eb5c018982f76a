"""How well a model hears: on clips, on whole nights, under noise, and at what cost."""
