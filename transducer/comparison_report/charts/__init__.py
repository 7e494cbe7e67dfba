"""Pictures of a comparison as SVG text: made here and not in the page's script, so that they show without it too."""
