"""What styler paints with: style pictures and, later, trained styles."""
