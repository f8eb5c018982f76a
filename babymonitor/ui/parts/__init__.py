"""Parts that several pages share: theme, symbols, wording and small widgets."""
