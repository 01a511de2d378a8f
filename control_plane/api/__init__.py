"""HTTP to services and back. One module per noun; handlers read, call one service, and word the answer."""
