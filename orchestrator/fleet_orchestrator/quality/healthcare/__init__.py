"""What a call about health care must keep to: one module a theme, the rules as data beside them."""
