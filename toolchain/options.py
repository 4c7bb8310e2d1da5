"""How the CLI reads options: what may be before one in the same word, and what switches one on."""

# short options without a value may stand before another one: -ys NAME
BARE = "-[defhijQruy]*"
YES = "(?:1|t|T|true|True|TRUE)"
